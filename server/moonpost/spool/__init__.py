"""Where accepted mail lives until it is delivered or given up.

Import the types from `moonpost.spool.interface`; `lmdb_store` keeps mail on disk, `memory` is for tests and `sim`.
"""
