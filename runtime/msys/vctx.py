"""The validation context: what policy decides about a session, and its two dictionaries.

The server reads the plain attributes after each phase and performs what they say; nothing here does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from msys.addresses import same_address, valid_address
from msys.arguments import bad_argument, check_number, check_string, check_strings
from msys.catalog.binding import documented
from msys.constants import VALIDATE_DONE, VCTX_CONN
from msys.contexts import dictionary
from msys.lua import ABSENT, Table, Userdata
from msys.lua.errors import RuntimeFault
from msys.lua.linemap import map_of
from msys.running import forbid, panic, phase

if TYPE_CHECKING:
    from msys.message import Message

# From the spool on, the recipients are fixed: each has its copy, or will have it in a moment.
RECIPIENTS_FIXED = frozenset(
    ("data_spool", "data_spool_each_rcpt", "set_binding", "core_final_validation", "delivery")
)
TARPIT_PHASES = frozenset(
    ("", "connect", "ehlo", "auth", "mailfrom", "rcptto", "rcptto_list", "data")
)
CLOSING_CODE, CLOSING_TEXT = 421, "4.3.0 closing connection"


class RecipientList(Table):
    """A table of addresses counted from 1, where index 0 reads as the empty string.

    A published helper loops from 0; an empty string keeps it working.
    """

    __slots__ = ()

    def __missing__(self, key: Any) -> Any:
        return "" if key == 0 and key is not False else None


class DisconnectFlag(int):
    """What `vctx.disconnect` reads as: 0 or 1, and the function that sets it.

    Momentum has a field and a method of that name.
    """

    _vctx: ValidationContext

    @classmethod
    def of(cls, vctx: ValidationContext) -> DisconnectFlag:
        flag = cls(vctx.disconnect_flag)
        flag._vctx = vctx
        return flag

    @overload
    def __call__(self) -> None: ...
    @overload
    def __call__(self, code: Any, message: Any = ...) -> None: ...
    def __call__(self, *arguments: Any, **named: Any) -> None:
        if (
            arguments and arguments[0] is self._vctx
        ):  # called as a function that was read from a field
            arguments = arguments[1:]
        close_after_reply(self._vctx, *arguments, **named)


@documented("vctx:disconnect", assumed="without arguments: 421 and a general text")
def close_after_reply(vctx: ValidationContext, code: Any = ABSENT, message: Any = ABSENT) -> None:
    """Decide the reply as `set_code` does, and close the connection after it.

    code: 421 when absent or nil. message: a general text when absent or nil.
    """
    wanted = CLOSING_CODE if code is ABSENT or code is None else code
    text = CLOSING_TEXT if message is ABSENT or message is None else message
    vctx._decide("disconnect", wanted, text)
    vctx.disconnect_flag = True


class _Disconnect:
    """`vctx.disconnect`: a field to read and set, a method to call."""

    @overload
    def __get__(self, vctx: None, owner: Any) -> Callable[..., None]: ...
    @overload
    def __get__(self, vctx: ValidationContext, owner: Any) -> DisconnectFlag: ...
    def __get__(self, vctx: ValidationContext | None, owner: Any) -> Any:
        return close_after_reply if vctx is None else DisconnectFlag.of(vctx)

    def __set__(self, vctx: ValidationContext, value: Any) -> None:
        vctx.disconnect_flag = value not in (None, False, 0)
        vctx.mark()


class ValidationContext(Userdata):
    """One session's decisions.

    code, note: the reply of the running phase; the server sets the phase's positive code first (`begin`).
    disconnect: 1 when the connection is to be closed after the reply.
    tarpit_s: seconds to hold the reply.
    changed_at: (file, line) of the code that last set a code, disconnected, discarded or held; None if none did.
    conn, mess: the context dictionaries, shared with the message until fan-out (`follow`).
    recipients: the envelope recipients of the transaction.
    """

    lua_type = "msys.core:_validate_context"
    lua_fields = frozenset(("note",))
    lua_writable = frozenset(("code", "disconnect"))
    lua_hidden = frozenset(("begin", "follow", "mark"))

    def __init__(
        self,
        *,
        conn: dict[str, str] | None = None,
        mess: dict[str, str] | None = None,
        recipients: list[str] | None = None,
    ) -> None:
        self.conn: dict[str, str] = {} if conn is None else conn
        self.mess: dict[str, str] = {} if mess is None else mess
        self.recipients: list[str] = [] if recipients is None else recipients
        self.code: int = 250
        self.note: str = ""
        self.disconnect_flag: bool = False
        self.tarpit_s: float = 0.0
        self.changed_at: tuple[str, int] | None = None

    def __getitem__(self, key: Any) -> Any:
        if key == "disconnect":  # Lua reads the field; calling finds the method without coming here
            return int(self.disconnect_flag)
        return super().__getitem__(key)

    # For the server

    def begin(self, code: int = 250, note: str = "") -> None:
        """A phase, a recipient, or a recipient's copy begins: its positive reply, nothing decided yet."""
        self.code, self.note, self.tarpit_s, self.changed_at = code, note, 0.0, None

    def follow(self, message: Message) -> None:
        """Work on this message's dictionary: the transaction's, or one recipient's copy."""
        self.mess = message.mess

    def mark(self) -> None:
        """Remember the line of policy that decides now."""
        self.changed_at = deciding_line()

    # For policy

    @documented("vctx:get", assumed="a missing key reads as the empty string; a nil key raises")
    def get(self, type: Any, key: Any) -> str:
        """The value of a context variable, "" when it is missing.

        type: msys.core.VCTX_CONN (lives as long as the connection) or VCTX_MESS (one message).
        Any other type is logged and reads as "". A nil key raises.
        """
        name = check_string("get", 2, key)
        found = dictionary("get", self.conn, self.mess, type)
        return found.get(name, "") if found is not None else ""

    @documented("vctx:set", assumed="booleans become `true` and `false`; a table raises")
    def set(self, type: Any, key: Any, value: Any) -> None:
        """Store a context variable. Numbers and booleans become text.

        A nil key or value stores nothing and is logged; a table raises.
        """
        if key is None or value is None:
            which = "connection" if type == VCTX_CONN else "message"
            panic(f"Attempt to set null key or value in validate context {which} dictionary.")
            return
        if isinstance(value, bool):
            value = "true" if value else "false"
        name, text = check_string("set", 2, key), check_string("set", 3, value)
        found = dictionary("set", self.conn, self.mess, type)
        if found is not None:
            found[name] = text

    def exists(self, type: Any, key: Any) -> int:
        """1 when the variable is there (an empty one is), 0 when not."""
        name = check_string("exists", 2, key)
        found = dictionary("exists", self.conn, self.mess, type)
        return int(found is not None and name in found)

    def delete(self, type: Any, key: Any) -> int:
        """1 when the variable was there and is gone, 0 when it was not."""
        name = check_string("delete", 2, key)
        found = dictionary("delete", self.conn, self.mess, type)
        return int(found is not None and found.pop(name, None) is not None)

    @documented("vctx:set_code", assumed="a code outside 100..599 or a nil message raises")
    def set_code(self, codenum: Any, message: Any) -> None:
        """Decide the reply of the running phase: `<codenum> <message>`.

        codenum: a number or a numeric string, 100 to 599. message: the text without the code, usually
        beginning with an enhanced status; every line of it gets the code. The script goes on: return
        VALIDATE_DONE to keep later modules from changing it. A 2xx code changes only the text.
        """
        self._decide("set_code", codenum, message)

    def _decide(self, name: str, codenum: Any, message: Any) -> None:
        code = check_number(name, 1, codenum)
        text = check_string(name, 2, message)
        if not 100 <= code <= 599 or code != int(code):
            raise bad_argument(name, 1, f"a reply code from 100 to 599 expected, got {codenum}")
        lines = text.replace("\r\n", "\n").rstrip("\n")
        if "\r" in lines:
            raise bad_argument(name, 2, "a bare CR cannot stand in a reply")
        self.code, self.note = int(code), lines
        self.mark()

    disconnect = _Disconnect()

    def pbp_action(self, code: Any, text: Any) -> int:
        """Set the reply and answer VALIDATE_DONE, for `return vctx:pbp_action(...)`."""
        self._decide("pbp_action", code, text)
        return VALIDATE_DONE

    def pbp_disconnect(self, code: Any, text: Any) -> int:
        """Set the reply, close the connection after it, and answer VALIDATE_DONE."""
        self._decide("pbp_disconnect", code, text)
        self.disconnect_flag = True
        return VALIDATE_DONE

    @documented(
        "vctx:tarpit",
        assumed="fractions are allowed, a negative interval raises, the last call wins",
    )
    def tarpit(self, interval: Any) -> None:
        """Hold the reply of the running phase for `interval` seconds.

        The call returns at once. Only SMTP sessions are held, up to validate_data; later it does nothing.
        """
        seconds = check_number("tarpit", 1, interval)
        if not 0 <= seconds < float("inf"):
            raise bad_argument("tarpit", 1, f"a number of seconds expected, got {interval}")
        if phase() in TARPIT_PHASES:
            self.tarpit_s = float(seconds)
            self.mark()

    @documented(
        "vctx:add_recipient",
        assumed="allowed up to validate_data; a recipient that is there already is not added again",
    )
    def add_recipient(self, address: Any) -> None:
        """Add an address, or a table of addresses, to the recipients of the transaction.

        No validate_rcptto runs for them. Raises from data_spool on, and for an invalid address.
        """
        self._may_change("add_recipient")
        for one in check_strings("add_recipient", 1, address):
            wanted = self._address("add_recipient", one)
            if not any(same_address(wanted, there) for there in self.recipients):
                self.recipients.append(wanted)

    @documented(
        "vctx:remove_recipient",
        assumed="allowed up to validate_data; domains compare without case, local parts exactly",
    )
    def remove_recipient(self, address: Any) -> None:
        """Take an address, or a table of addresses, from the recipients; unknown ones are ignored."""
        self._may_change("remove_recipient")
        for one in check_strings("remove_recipient", 1, address):
            self.recipients[:] = [
                there for there in self.recipients if not same_address(one, there)
            ]

    @overload
    def recipient_list(self) -> Table: ...
    @overload
    def recipient_list(self, addresses: Any) -> Table: ...
    @documented(
        "vctx:recipient_list",
        assumed="counted from 1, index 0 reads as the empty string; setting returns the new list",
    )
    def recipient_list(self, addresses: Any = ABSENT) -> Table:
        """The recipients of the transaction; with an argument, replace them all first.

        addresses: a string or a table of strings. nil reads, as no argument does.
        """
        forbid("recipient_list", ("rcptto",), "the list is complete only after validate_rcptto")
        if addresses is not ABSENT and addresses is not None:
            self._may_change("recipient_list")
            wanted = check_strings("recipient_list", 1, addresses)
            self.recipients[:] = [self._address("recipient_list", one) for one in wanted]
        return RecipientList(enumerate(self.recipients, 1))

    def iterate_rcpt(self, position: Any = 0) -> tuple[int | None, str | None]:
        """The next position and its address; nil, nil at the end. Start with 0."""
        at = int(check_number("iterate_rcpt", 1, position))
        if not 0 <= at < len(self.recipients):
            return None, None
        return at + 1, self.recipients[at]

    def _may_change(self, name: str) -> None:
        forbid(name, RECIPIENTS_FIXED, "the recipients are fixed once the message is spooled")

    def _address(self, name: str, text: str) -> str:
        address = text.strip()
        if address.startswith("<") and address.endswith(">"):
            address = address[1:-1]
        if not address or not valid_address(address):
            raise RuntimeFault(f"bad argument #1 to '{name}' ('{text}' is not an address)")
        return address


def deciding_line() -> tuple[str, int] | None:
    """File and line of the policy that called: in Lua's terms, or of the Python file for policy written in Python."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "msys":
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return None
    line_map = map_of(frame.f_code)
    if line_map is None:
        return frame.f_code.co_filename, frame.f_lineno
    return line_map.source, line_map.lua_line(frame.f_lineno)
