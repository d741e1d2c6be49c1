"""Library calls that have a form of their own in Python."""
