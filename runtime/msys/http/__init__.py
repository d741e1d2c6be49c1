"""`msys.http`: HTTP for policy."""

from msys.http import client as client

__all__ = ["client"]
