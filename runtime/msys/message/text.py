"""The text of a part: decoded for policy, and written back in the part's own charset and encoding.

Works on nodes of the MIME tree. Policy sees UTF-8 in Lua strings.
"""

from __future__ import annotations

import re

from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import RuntimeFault
from msys.message import fields, transfer
from msys.message.charsets import codec, exact_bytes_of, exact_text_of, plain, text_of
from msys.message.node import Node
from msys.message.parameters import content_type
from msys.message.sections import has_delimiter
from msys.message.wire import CRLF, has_stray, mended, whole_lines
from msys.pcre_engine import substitute_bytes
from msys.running import default_charset

CONTENT_TYPE, ENCODING, VERSION = (
    b"Content-Type",
    b"Content-Transfer-Encoding",
    b"MIME-Version",
)
END_LINE = b".\r\n"
CHARSET = re.compile(rb"charset\*?\s*=\s*(?:\"[^\"]*\"|[^\s;]+)", re.IGNORECASE)


def text_bytes(node: Node) -> bytes | None:
    """A leaf's text as UTF-8 (another leaf's decoded bytes); None for a container and an empty body."""
    if node.is_container or node.begin == node.end:
        return None
    kind = node.kind
    content = transfer.decoded(node.body, kind.encoding)
    if not kind.is_text:
        return content
    charset = kind.charset or default_charset()
    if plain(content, charset):
        return content
    return text_of(content, charset).encode("utf-8", "replace")


def text_leaves(top: Node) -> list[Node]:
    """Every text part from `top` on, in the order of the document."""
    return [node for node in top.walk() if node.kind.is_text and not node.is_container]


def set_text(node: Node, function: str, value: str, mimetype: str, charset: str | None) -> None:
    """Make `value` (UTF-8 in a Lua string) the whole body of a part, and its Content-* fields say so."""
    given = content_type(to_bytes(mimetype), None, None)
    raw = whole_text(to_bytes(value))
    wanted = charset or given.charset or ("us-ascii" if raw.isascii() else "utf-8")
    known = codec(wanted)
    if known is None:
        raise RuntimeFault(f"'{function}': unknown charset '{wanted}'")
    try:
        content = raw if known == "utf-8" else raw.decode("utf-8").encode(known)
    except UnicodeError as error:
        raise RuntimeFault(
            f"'{function}': the text does not fit into '{wanted}': {error}"
        ) from None
    written = to_bytes(mimetype if given.charset else f"{mimetype}; charset={wanted}")
    encoding = encoding_for(node, content)
    block = with_fields(
        node.head,
        {CONTENT_TYPE: written, ENCODING: encoding.encode("ascii")},
    )
    if node.parent_node is None and not _has(block, VERSION):
        block = fields.with_last(block, VERSION + b": 1.0" + CRLF)
    node.head = block
    node.set_body(transfer.encoded(content, encoding))


def whole_text(raw: bytes) -> bytes:
    """Text with CRLF line ends; a missing last one stays missing."""
    return mended(raw)


def _has(block: bytes, name: bytes) -> bool:
    return any(field.name == name.lower() for field in fields.fields(block))


def with_fields(block: bytes, values: dict[bytes, bytes]) -> bytes:
    """The block with each of these fields replaced."""
    for name, value in values.items():
        block = fields.with_last(fields.without(block, name), name + b": " + value + CRLF)
    return block


def encoding_for(node: Node, content: bytes) -> str:
    """The plainest transfer encoding that `content` can have at this place."""
    if (
        transfer.suits(content, "7bit")
        and not has_stray(content)
        and not _ends_a_part(node, content)
    ):
        return "7bit"
    high = sum(byte > 126 for byte in content[:4096])
    return (
        "base64"
        if high * 4 > len(content[:4096]) or _ends_a_part(node, content)
        else "quoted-printable"
    )


def _ends_a_part(node: Node, content: bytes) -> bool:
    """Whether a line of `content` would be taken for a delimiter of a container around."""
    around = node.parent_node
    while around is not None:
        if around.kind.boundary and has_delimiter(content, around.kind.boundary):
            return True
        around = around.parent_node
    return False


def replace_text(node: Node, pattern: str, replacement: str) -> bool:
    """Replace in the text of one text leaf; whether anything changed. Unchanged parts keep their bytes."""
    kind = node.kind
    charset = kind.charset or default_charset()
    content = transfer.decoded(node.body, kind.encoding)
    text = content
    if not plain(content, charset):
        text = exact_text_of(content, charset).encode("utf-8", "surrogateescape")
    # At the end of a message that is one part, the end marker is text like any other: published
    # scripts add a disclaimer by replacing "\r\n.\r\n".
    marked = node.parent_node is None and kind.encoding != "base64" and text.endswith(CRLF)
    replaced, count = substitute_bytes(text + END_LINE if marked else text, pattern, replacement)
    if marked and replaced.endswith(CRLF + END_LINE):
        replaced = replaced[: -len(END_LINE)]
    if not count or replaced == text:
        return False
    _write_back(node, replaced, charset)
    return True


def _write_back(node: Node, text: bytes, charset: str) -> None:
    """Give a text leaf other text (UTF-8) in its own charset and encoding, or the nearest that can hold it."""
    kind = node.kind
    changes: dict[bytes, bytes] = {}
    content: bytes | None = text
    if not plain(text, charset):
        content = exact_bytes_of(text.decode("utf-8", "surrogateescape"), charset)
    if content is None:
        content = text
        changes[CONTENT_TYPE] = _with_charset(node.field(b"content-type"), b"utf-8")
    encoding = kind.encoding
    if encoding in transfer.IDENTITY:
        content = whole_lines(content) if node.parent_node is None else whole_text(content)
        if not transfer.suits(content, encoding) or _ends_a_part(node, content):
            encoding = encoding_for(node, content)
            changes[ENCODING] = encoding.encode("ascii")
    if changes:
        node.head = with_fields(node.head, changes)
    node.set_body(transfer.encoded(content, encoding))


def _with_charset(type_value: bytes | None, charset: bytes) -> bytes:
    """A Content-Type value with another charset, its other parameters kept."""
    value = fields.unfolded(type_value or b"text/plain")
    if CHARSET.search(value):
        return CHARSET.sub(b"charset=" + charset, value)
    return value.rstrip(b"; ") + b"; charset=" + charset


def text_str(node: Node) -> str | None:
    """`text_bytes` as a Lua string."""
    found = text_bytes(node)
    return None if found is None else to_str(found)
