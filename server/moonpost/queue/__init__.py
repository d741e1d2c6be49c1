"""When and where to try mail again: from the spool to the connections, per binding and routing domain."""
