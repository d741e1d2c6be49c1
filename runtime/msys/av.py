"""`msys.av`: virus scans by the engines under the `antivirus` module.

Results are a status, a text, the engine that found something, and the engine's own code. The order of the
arguments differs between the two scans. Knows engines by name and through the Scanners port only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msys.arguments import bad_argument, check_string, expected
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table
from msys.message import Message, Part
from msys.message.transfer import decoded
from msys.ports import VirusReport, current
from msys.scanning import ERROR, remember, scanners, settings, the_context, the_message, virus
from msys.vctx import ValidationContext

EC_AV_CLEAN: Final = 0
EC_AV_INFECTED: Final = 1
EC_AV_UNSCANNABLE: Final = 2
EC_AV_ERROR: Final = 3
EC_AV_NO_ENGINE: Final = 4
EC_AV_NAME_TOO_LONG: Final = 5
EC_AV_PART_IS_CONTAINER: Final = 6
EC_AV_NOT_SUITABLE_FOR_STREAMING: Final = 7

__all__ = [
    "EC_AV_CLEAN",
    "EC_AV_ERROR",
    "EC_AV_INFECTED",
    "EC_AV_NAME_TOO_LONG",
    "EC_AV_NOT_SUITABLE_FOR_STREAMING",
    "EC_AV_NO_ENGINE",
    "EC_AV_PART_IS_CONTAINER",
    "EC_AV_UNSCANNABLE",
    "engines",
    "scan",
    "scan_part",
]

NAME_MAX = 40  # characters: lua.ref.msys.av.scan
Result = tuple[int, str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Words:
    """What a verdict becomes: a status, and a code; None: the engine's own words."""

    status: int
    code: str | None = None


# verdict -> status and code, for engines that say what they found
PLAIN: Mapping[str, Words] = {
    "clean": Words(EC_AV_CLEAN),
    "infected": Words(EC_AV_INFECTED),
    "encrypted": Words(EC_AV_UNSCANNABLE),
    "limit": Words(EC_AV_UNSCANNABLE),
    ERROR: Words(EC_AV_ERROR),
}
# csapi calls everything clean that it did not find infected: scripts for it read the code
CSAPI: Mapping[str, Words] = {
    "clean": Words(EC_AV_CLEAN),
    "infected": Words(EC_AV_INFECTED, "AVS_RESULT_VIRUS_FOUND"),
    "encrypted": Words(EC_AV_CLEAN, "DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED"),
    "limit": Words(EC_AV_CLEAN, "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED"),
    ERROR: Words(EC_AV_CLEAN, "AVS_RESULT_SCANFILE_FAILURE"),
}
VOCABULARY: Mapping[str, Mapping[str, Words]] = {"csapi": CSAPI}

# Which result stands for several engines when none found a virus: the worst
GRAVITY = (EC_AV_CLEAN, EC_AV_UNSCANNABLE, EC_AV_ERROR)


@documented("msys.av.engines", assumed="an empty table when no engine is configured")
def engines() -> Table:
    """An array of the names of the configured engines; empty when there is none.

    Source: lua.ref.msys.av.engines.
    """
    found = scanners()
    return Table() if found is None else Table.array(*found.virus_engines())


@documented(
    "msys.av.scan",
    assumed="an unknown name is EC_AV_NO_ENGINE; an engine that is down or slow EC_AV_ERROR; the message is "
    "scanned as it is now, with what policy changed",
)
def scan(av_engine_name: Any = ABSENT, msg: Any = ABSENT, validate_context: Any = ABSENT) -> Result:
    """Scan a message for viruses. Waits for the engine, at most its `timeout`.

    av_engine_name: nil or absent is every configured engine in turn, up to the first that finds a virus.
    msg, validate_context: the running callout's when nil or absent; raises when there is no message.
    Results: an EC_AV_* status; the malware's name or what went wrong; the engine that found it; the
    engine's code. A name of more than 40 characters is EC_AV_NAME_TOO_LONG. A find or a failure sets the
    message context `<engine>_status` (empty for a virus, else `error`) and `<engine>_status_info`. A virus
    that cannot be looked for because of size or encryption is EC_AV_UNSCANNABLE.
    Behind the name `csapi` everything that is not infected is EC_AV_CLEAN, a failure too: read the code.
    Source: lua.ref.msys.av.scan.
    """
    names = _named("scan", 1, av_engine_name)
    message = the_message("scan", 2, msg)
    vctx = the_context("scan", 3, validate_context)
    return _refused(names) or _scan(names, message.content, message, vctx)


@documented(
    "msys.av.scan_part",
    assumed="takes a message too and means its top part; a container is a multipart; scanned transfer-decoded",
)
def scan_part(
    msg_part: Any = ABSENT, av_engine_name: Any = ABSENT, validate_context: Any = ABSENT
) -> Result:
    """Scan one MIME part, transfer-decoded. The part comes first here; the rest is as in `msys.av.scan`.

    A multipart is EC_AV_PART_IS_CONTAINER. nil raises. Source: lua.ref.msys.av.scan_part.
    """
    message: Message | None
    if isinstance(msg_part, Message):
        message = the_message("scan_part", 1, msg_part)
        part = message.mime()
    elif isinstance(msg_part, Part):
        part, message = msg_part, current().message
    else:
        raise expected("scan_part", 1, "message part", msg_part)
    names = _named("scan_part", 2, av_engine_name)
    vctx = the_context("scan_part", 3, validate_context)
    if (refused := _refused(names)) is not None:
        return refused
    if part is not None and part.kind.is_multipart and part.parts is not None:
        return EC_AV_PART_IS_CONTAINER, "a multipart is scanned part by part", None, None
    content = b"" if part is None else decoded(part.body, part.kind.encoding)
    return _scan(names, content, message, vctx)


def _named(function: str, position: int, name: Any) -> list[str]:
    """The engine that is meant, or all."""
    if name is None or name is ABSENT:
        found = scanners()
        return [] if found is None else list(found.virus_engines())
    wanted = check_string(function, position, name)
    if not wanted:
        raise bad_argument(function, position, "the name of an engine is empty")
    return [wanted]


def _refused(names: list[str]) -> Result | None:
    """The result when these engines cannot be asked at all."""
    if not names:
        return EC_AV_NO_ENGINE, "no virus engine is configured", None, None
    if len(names[0]) > NAME_MAX:
        text = f"the name of an engine has at most {NAME_MAX} characters"
        return EC_AV_NAME_TOO_LONG, text, None, None
    found = scanners()
    known = () if found is None else found.virus_engines()
    if names[0] not in known:
        return EC_AV_NO_ENGINE, f"no virus engine '{names[0]}' is configured", None, None
    return None


def _scan(
    names: list[str], content: bytes, message: Message | None, vctx: ValidationContext | None
) -> Result:
    """Ask each engine up to the first find."""
    worst: Result = (EC_AV_CLEAN, None, None, None)
    for at, name in enumerate(names):
        report = virus(name, content) if content else VirusReport("clean", "", "Empty file")
        words = VOCABULARY.get(name, PLAIN)[report.verdict]
        if report.verdict != "clean":
            key = str((settings(name) or {}).get("context_variable") or f"{name}_status")
            state = "" if report.verdict == "infected" else "error"
            remember(message, vctx, {key: state, f"{key}_info": report.name})
        code = words.code or report.reply or None
        if words.status == EC_AV_INFECTED:
            return EC_AV_INFECTED, report.name, name, code
        result: Result = (words.status, report.name or None, None, code)
        worst = result if at == 0 else max(worst, result, key=_gravity)
    return worst


def _gravity(result: Result) -> int:
    return GRAVITY.index(result[0])
