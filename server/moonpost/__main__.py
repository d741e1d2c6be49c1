"""`python -m moonpost` is the `moonpost` command."""

from moonpost.cli import main

main()
