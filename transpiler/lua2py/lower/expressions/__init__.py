"""Expressions, one construct a file."""
