"""The configuration: the stanza language, the table of options, the typed model with its fallback.

Imports nothing of the server, and no clock or network; reads files in `read`, `validate` and `live` only.
"""
