"""What can be known about a chunk before it runs; tables beside the tree, which is never changed."""
