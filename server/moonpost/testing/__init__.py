"""Tools for tests of the server, and for tests of whoever replaces a part of it. Nothing else imports these."""
