"""The error codes of `json`, and which of them a mistake in JSON text is. Pure."""

from __future__ import annotations

TEXTS = {
    "ERROR_DEPTH": "nesting too deep",
    "ERROR_PARSE_EOF": "unexpected end of data",
    "ERROR_PARSE_UNEXPECTED": "unexpected character",
    "ERROR_PARSE_NULL": "null expected",
    "ERROR_PARSE_BOOLEAN": "boolean expected",
    "ERROR_PARSE_NUMBER": "number expected",
    "ERROR_PARSE_ARRAY": "array value separator ',' expected",
    "ERROR_PARSE_OBJECT_KEY_NAME": "quoted object property name expected",
    "ERROR_PARSE_OBJECT_KEY_SEP": "object property name separator ':' expected",
    "ERROR_PARSE_OBJECT_VALUE_SEP": "object value separator ',' expected",
    "ERROR_PARSE_STRING": "invalid string sequence",
    "ERROR_PARSE_COMMENT": "comment expected",
}
NAMES = tuple(TEXTS)
CODES = {name: number for number, name in enumerate(NAMES, 1)}
_BY_CODE = {CODES[name]: text for name, text in TEXTS.items()}

# How the parser's message starts -> the code, where that says enough
BY_MESSAGE = {
    "Unterminated string": "ERROR_PARSE_EOF",
    "Invalid": "ERROR_PARSE_STRING",
    "Extra data": "ERROR_PARSE_UNEXPECTED",
    "Expecting property name": "ERROR_PARSE_OBJECT_KEY_NAME",
    "Illegal trailing comma": "ERROR_PARSE_UNEXPECTED",
    "Expecting ':'": "ERROR_PARSE_OBJECT_KEY_SEP",
}
BY_FIRST = {"n": "NULL", "t": "BOOLEAN", "f": "BOOLEAN", "/": "COMMENT"} | dict.fromkeys(
    "-+.0123456789", "NUMBER"
)


def describe(code: float) -> str:
    """The text of a code."""
    return _BY_CODE.get(int(code) if code == code else 0, "unknown error")


def classify(message: str, text: str, position: int) -> int:
    """The code of a mistake at `position`, from the parser's message and what stands there."""
    if not text[position:].strip() and not message.startswith("Extra"):
        return CODES["ERROR_PARSE_EOF"]
    for start, name in BY_MESSAGE.items():
        if message.startswith(start):
            return CODES[name]
    if message.startswith("Expecting ','"):
        inside = _innermost(text[:position])
        return CODES["ERROR_PARSE_ARRAY" if inside == "[" else "ERROR_PARSE_OBJECT_VALUE_SEP"]
    return CODES[f"ERROR_PARSE_{BY_FIRST.get(text[position : position + 1], 'UNEXPECTED')}"]


def _innermost(text: str) -> str:
    """The bracket that is open at the end of `text`."""
    opened: list[str] = []
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            opened.append(character)
        elif character in "]}" and opened:
            opened.pop()
    return opened[-1] if opened else ""
