"""`msys.validate`: signatures on mail, DKIM and its older and newer spellings."""

from msys.validate import dk as dk
from msys.validate import dkim as dkim
from msys.validate import opendkim as opendkim

__all__ = ["dk", "dkim", "opendkim"]
