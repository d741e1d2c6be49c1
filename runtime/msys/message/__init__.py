"""A message as its bytes, and everything policy can do with it.

The classes below are one class, cut by topic: data, envelope, content, MIME tree, contexts, sending.
"""

from __future__ import annotations

from msys.message.context import Contexts
from msys.message.editing import Editing
from msys.message.envelope import Envelope
from msys.message.part import Part
from msys.message.sending import Sending
from msys.message.structure import Structure

__all__ = ["Message", "Part"]


class Message(Envelope, Editing, Structure, Contexts, Sending):
    """A message: see MessageState for the data the server reads and sets."""
