"""Lua constructs as Python: one function for each node type, all of them registered here."""

from lua2py.lower import tables
from lua2py.lower.expressions import arithmetic, calls, index, literals, names
from lua2py.lower.registry import check_complete
from lua2py.lower.statements import assign, blocks, branch, functions, loops

RULES = (
    arithmetic,
    assign,
    blocks,
    branch,
    calls,
    functions,
    index,
    literals,
    loops,
    names,
    tables,
)

check_complete()
