"""Policy that somebody maintains in Python."""
