"""Statements, one construct a file."""
