"""The console: commands for a running server over a socket in the file system.

Knows the configuration and, through `services`, whatever the server wires in; never the queue, the
spool or policy themselves. Protocol and client live here too.
"""
