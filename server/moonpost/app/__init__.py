"""Puts the server together from its parts."""
