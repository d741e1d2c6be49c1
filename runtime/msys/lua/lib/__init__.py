"""Lua's libraries: one module each, functions under Lua's names, and `open_libs`, which fills `_G`."""
