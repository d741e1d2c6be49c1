"""What is wrong with the configuration of adaptive delivery, before any mail meets it."""

from __future__ import annotations

from collections.abc import Iterator

from moonpost.adaptive.receivers import BadRules, read_receivers
from moonpost.adaptive.shaping import BOUNDS, bounds_of
from moonpost.adaptive.sweep import BadSweepRule, all_rules
from moonpost.config.diagnostics import Diagnostic, Place, diagnostic
from moonpost.config.node import Node
from msys.adaptive import parse_duration

CODE, IGNORED = "C527", "C529"


def problems(root: Node) -> Iterator[Diagnostic]:
    """Stanzas and options that say nothing that can be done."""
    stanzas = [node for node in root.named("adaptive") if node.get("enabled") is not False]
    for node, rule in all_rules(root):
        if rule is None:
            text = f'adaptive_sweep_rule "{node.instance}" has no codes, or codes of both kinds'
            yield diagnostic(IGNORED, node.place, text)
        elif isinstance(rule, BadSweepRule):
            text = f'adaptive_sweep_rule "{node.instance}": {rule}'
            yield diagnostic(CODE, node.place, text)
    for _, node in root.walk():
        if node.get("adaptive_enabled") and not stanzas:
            place = node.settings["adaptive_enabled"].written.place
            yield diagnostic(
                CODE,
                place,
                "Adaptive_Enabled has no effect without its stanza",
                "write `adaptive {}`",
            )
        yield from _options(node)
    for stanza in stanzas:
        path = stanza.settings.get("receiver_rules")
        if path is not None:
            try:
                read_receivers(path.value)
            except BadRules as bad:
                yield diagnostic(CODE, path.written.place, str(bad))


def _options(node: Node) -> Iterator[Diagnostic]:
    for name in BOUNDS.values():
        setting = node.settings.get(name)
        if setting is None:
            continue
        try:
            bounds_of(setting.value)
        except ValueError as error:
            yield _wrong(setting.written.place, setting.row.name, str(error))
    length = node.settings.get("adaptive_default_suspension")
    if length is not None and parse_duration(str(length.value)) is None:
        text = f"`{length.value}` is no duration like `4 hours`"
        yield _wrong(length.written.place, length.row.name, text)


def _wrong(place: Place, option: str, text: str) -> Diagnostic:
    return diagnostic(CODE, place, f"{option}: {text}")
