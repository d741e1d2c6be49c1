"""Findings of configurations and of scripts together, as the one JSON list or SARIF log that programs read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from lua2py.diagnostics import Diagnostic as ScriptFinding
from lua2py.report import render_json, render_sarif
from moonpost.config.diagnostics import RULES
from moonpost.config.diagnostics import Diagnostic as ConfigurationFinding

Render = Callable[[Sequence[ConfigurationFinding], Sequence[ScriptFinding]], str]


def as_json(configuration: Sequence[ConfigurationFinding], scripts: Sequence[ScriptFinding]) -> str:
    """The list that lua2py.report makes, findings of configurations first."""
    return json.dumps([*map(_object, configuration), *json.loads(render_json(scripts))], indent=2)


def as_sarif(
    configuration: Sequence[ConfigurationFinding], scripts: Sequence[ScriptFinding]
) -> str:
    """The SARIF log that lua2py.report makes, with rules and results of configurations added."""
    log: dict[str, Any] = json.loads(render_sarif(scripts))
    run = log["runs"][0]
    rules: list[dict[str, Any]] = run["tool"]["driver"]["rules"]
    index: dict[str, int] = {}
    for code in sorted({one.code for one in configuration}):
        index[code] = len(rules)
        rule = RULES[code]
        rules.append(
            {
                "id": code,
                "name": rule.title,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.explain},
            }
        )
    run["results"] += [_result(one, index[one.code]) for one in configuration]
    return json.dumps(log, indent=2)


FORMATS: dict[str, Render] = {"json": as_json, "sarif": as_sarif}


def _object(one: ConfigurationFinding) -> dict[str, Any]:
    place = one.place
    return {
        "path": place.source.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.line,
        "end_column": place.column + place.length,
        "code": one.code,
        "severity": one.severity,
        "message": one.message,
        "help": one.help,
    }


def _result(one: ConfigurationFinding, rule: int) -> dict[str, Any]:
    place = one.place
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.line,
        "endColumn": place.column + place.length,
    }
    location = {
        "artifactLocation": {"uri": place.source.path.replace("\\", "/")},
        "region": region,
    }
    return {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": one.severity,
        "message": {"text": ". ".join(filter(None, (one.message, one.help)))},
        "locations": [{"physicalLocation": location}],
    }
