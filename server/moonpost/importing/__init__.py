"""`moonpost import`: what an existing tree of configuration would become here. Reads files, runs nothing of them."""
