"""Lua patterns: by Python's `re` where a translation is exact, by our own matcher elsewhere."""

from msys.lua.patterns.pattern import Pattern, begin, pattern

__all__ = ["Pattern", "begin", "pattern"]
