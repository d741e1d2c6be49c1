"""One SMTP session against policy without a network, and the debuggers that step through it."""
