"""Making it read as if a person had written it: layout, comments, imports."""
