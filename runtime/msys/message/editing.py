"""Headers, body and text of a message as a whole."""

from __future__ import annotations

from typing import Any, overload

from msys.arguments import check_string, optional_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Table
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.errors import RuntimeFault
from msys.message import headers, matching, text, wire
from msys.message.content import Content
from msys.message.state import MessageState
from msys.running import early_in_reception, forbid

SETTLED = "the content is settled before a binding is chosen"


class Editing(MessageState):
    """What policy reads and changes of the content.

    `body` and `raw` are the form of the wire: CRLF lines, leading dots doubled, without the end marker;
    a script may leave the end marker on when it sets them.
    """

    def _changing(self, name: str) -> None:
        forbid(name, ("set_binding",), SETTLED)
        if early_in_reception(self):
            raise RuntimeFault(f"'{name}': this message has no content before DATA")

    @overload
    def header(self, hdr: Any) -> Table: ...
    @overload
    def header(self, hdr: Any, value: Any, mode: Any = ...) -> bool: ...
    @documented(
        "msg:header",
        assumed="the default mode is replace; an explicit nil deletes; an absent header is an empty table",
    )
    def header(self, hdr: Any, value: Any = ABSENT, mode: Any = ABSENT) -> Table | bool:
        """Read, remove or write header fields.

        hdr: a name of any case. Without value: an array of the values in order, unfolded, encoded words as
        UTF-8; empty when there is none. value nil or "": all of them go; true if there was one. value a
        string or a table of strings: mode `replace` (nil, absent) removes the others and adds at the end of
        the header, `append` adds at the end, `prepend` at the very start; true. Values are encoded and
        folded as needed; a CR or LF that does not fold raises. Writing raises in validate_set_binding.
        """
        name = headers.checked_name("header", 1, hdr)
        if value is ABSENT:
            return headers.values_table(self._now().values(name))
        self._changing("header")
        before = self._now().head
        after = headers.edited("header", before, name, value, mode)
        if after is before:
            return False
        self._set_head(after, structural=name.lower().startswith(b"content-"))
        return True

    def address_header(self, headername: Any, component: Any = ABSENT) -> Table:
        """An array of the addresses in every field of that name; component as msgpart:address_header."""
        name = headers.checked_name("address_header", 1, headername)
        return headers.addresses_table("address_header", self._now().values(name), component)

    @overload
    def body(self) -> str: ...
    @overload
    def body(self, *value: Any) -> str: ...
    @documented(
        "msg:body",
        assumed="dots are stuffed in it; the end marker is left out, and may be left on in setting",
    )
    def body(self, *value: Any) -> str:
        """The body, transfer encoding untouched; with an argument, set it first.

        Content-* headers stay as they are. Parts taken earlier cannot be used any more. Setting raises in
        validate_set_binding.
        """
        if value:
            given = to_bytes(check_string("body", 1, value[0]))
            self._changing("body")
            self._replace(Content.of(self._now().head, wire.from_script(given)))
        return to_str(wire.stuff(self._now().body))

    @overload
    def raw(self) -> tuple[str, int]: ...
    @overload
    def raw(self, value: Any) -> tuple[str, int]: ...
    @documented(
        "msg:raw",
        assumed="dots are stuffed in it, the end marker left out; setting gives the new content",
    )
    def raw(self, value: Any = ABSENT) -> tuple[str, int]:
        """The whole message and its length; with an argument, replace all of it first.

        nil reads, as no argument does. Parts taken earlier cannot be used after setting.
        """
        if value is not ABSENT and value is not None:
            given = to_bytes(check_string("raw", 1, value))
            self._changing("raw")
            self._replace(Content(wire.from_script(given)))
        whole = to_str(wire.stuff(self._now().whole))
        return whole, len(whole)

    @documented(
        "msg:get_message_size", assumed="the form of the wire without the end marker; 0 before DATA"
    )
    def get_message_size(self) -> int:
        """Bytes of headers and body."""
        return wire.stuffed_size(self._now().whole)

    @overload
    def text(self) -> str | Table | None: ...
    @overload
    def text(self, value: Any, type: Any = ..., charset: Any = ...) -> bool: ...
    @documented(
        "msg:text", assumed="nil without a text part; text attachments count; setting gives true"
    )
    def text(
        self, value: Any = ABSENT, type: Any = ABSENT, charset: Any = ABSENT
    ) -> str | Table | bool | None:
        """The decoded text in UTF-8, or another text for the whole body.

        Without arguments: a string when there is one text part, an array of strings in document order when
        there are several, nil without any. What is no text in its charset shows as U+FFFD.
        value: UTF-8 text. type: its MIME type, `text/plain` when nil or absent. charset: what it is converted
        to, `us-ascii` for ASCII, else `utf-8`; a text that does not fit raises.
        """
        if value is ABSENT:
            found = [
                text.text_str(leaf) or "" for leaf in text.text_leaves(self._tree(writable=False))
            ]
            if len(found) < 2:
                return found[0] if found else None
            return Table.array(*found)
        wanted = check_string("text", 1, value)
        mimetype = optional_string("text", 2, type, "text/plain")
        self._changing("text")
        top = self._tree(writable=True)
        text.set_text(
            top, "text", wanted, mimetype, optional_string("text", 3, charset, "") or None
        )
        self._replace(Content.of(top.head, wire.whole_lines(top.body)))
        return True

    @documented("msg:body_match", assumed="the table of the first match")
    def body_match(self, pattern: Any) -> matching.MatchResult:
        """Search the body, not decoded, with a PCRE pattern (options inline: `(?i)`).

        The match table ([0] whole, [1].. captures, named ones by name), or false. A bad pattern: false, the
        error, its offset.
        """
        wanted = check_string("body_match", 1, pattern)
        return matching.match(wire.stuff(self._now().body), wanted)

    @documented("msg:body_replace", assumed="true if anything changed")
    def body_replace(self, pattern: Any, replacement: Any) -> bool:
        """Replace every match in the body, not decoded; `$1` means a capture.

        Keeping the transfer encoding right is up to the caller. False when nothing changed.
        """
        wanted = check_string("body_replace", 1, pattern)
        by = check_string("body_replace", 2, replacement)
        self._changing("body_replace")
        content = self._now()
        body = matching.replaced(wire.stuff(content.body), wanted, by)
        if body is None:
            return False
        self._replace(Content.of(content.head, wire.from_script(body)))
        return True

    @documented("msg:raw_match", assumed="the table of the first match")
    def raw_match(self, pattern: Any) -> matching.MatchResult:
        """Search headers and body, not decoded. Results as msg:body_match."""
        wanted = check_string("raw_match", 1, pattern)
        return matching.match(wire.stuff(self._now().whole), wanted)

    @documented("msg:raw_replace", assumed="true if anything changed")
    def raw_replace(self, pattern: Any, replacement: Any) -> bool:
        """Replace every match in headers and body, not decoded; the headers are read anew."""
        wanted = check_string("raw_replace", 1, pattern)
        by = check_string("raw_replace", 2, replacement)
        self._changing("raw_replace")
        whole = matching.replaced(wire.stuff(self._now().whole), wanted, by)
        if whole is None:
            return False
        self._replace(Content(wire.from_script(whole)))
        return True

    @documented("msg:text_match", assumed="parts in order, the first hit wins")
    def text_match(self, pattern: Any) -> matching.MatchResult:
        """Search the decoded UTF-8 text of the text parts. Results as msg:body_match."""
        wanted = check_string("text_match", 1, pattern)
        leaves = text.text_leaves(self._tree(writable=False))
        return matching.match_any((text.text_bytes(leaf) or b"" for leaf in leaves), wanted)

    @documented("msg:text_replace", assumed="true if any part changed")
    def text_replace(self, pattern: Any, replacement: Any) -> bool:
        """Replace every match in the text of every text part; `$1` means a capture.

        Each part is decoded and written back in its own charset and encoding. Parts that do not change keep
        their bytes.
        """
        wanted = check_string("text_replace", 1, pattern)
        by = check_string("text_replace", 2, replacement)
        self._changing("text_replace")
        top = self._tree(writable=True)
        return matching.replaced_any(text.text_leaves(top), wanted, by)
