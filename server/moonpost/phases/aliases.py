"""Recipients that stand for others, after the last question about the whole mail and before each has a copy.

Steps of the pure machine; whoever drives it knows the aliases. Source: Momentum's pages of the module alias and of
Alias_Schemes.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from moonpost.phases.actions import Expand
from moonpost.phases.state import SessionState, Transaction
from moonpost.phases.verdicts import Verdict

NOT_EXPANDED = Verdict(451, "4.3.0 aliases can't be looked up at present", module="alias")


def expand(session: SessionState, transaction: Transaction) -> Generator[Any, Any, Verdict | None]:
    """Put the addresses behind aliases in their place; a refusal when nobody could say what they are."""
    if not session.options.expands_aliases:
        return None
    vctx = session.vctx
    pathway = vctx.conn.get("pathway", session.options.pathway)
    behind: dict[str, list[str]] | None = yield Expand(list(vctx.recipients), pathway)
    if behind is None:
        return NOT_EXPANDED
    for alias, addresses in behind.items():
        told = transaction.recipient_parameters.pop(alias, None)
        if told:  # RFC 3461 section 5.2.7.3: what the sender asked for goes with the addresses
            transaction.recipient_parameters.update(dict.fromkeys(addresses, told))
    found = [one for address in vctx.recipients for one in behind.get(address, [address])]
    vctx.recipients[:] = dict.fromkeys(found)
    return None
