"""The match and replace functions on a body of 100 MB, in bounded memory: the message, and a few copies of it in passing.

Each function runs in a process of its own, which tells how far its memory grew beyond what the message itself takes.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.long

SIZE = 100_000_000
PROGRAM = """
import sys
from msys.message import Message
from msys.testing.policy import policy

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) * 1024

size, call = int(sys.argv[1]), sys.argv[2]
line = b"The quick brown fox jumps over the lazy dog, 0123456789 and on.\\r\\n"
content = b"".join((b"From: a@b.test\\r\\nContent-Type: text/plain\\r\\n\\r\\n", line * (size // len(line)), b"needle\\r\\n.dot\\r\\n"))
message = Message(content=content, mailfrom="a@b.test", rcptto="c@d.test")
del content
with policy(message=message) as here:
    open("/proc/self/clear_refs", "w").write("5")  # the peak counts from here
    before = memory("VmRSS")
    found = eval(call)
    print(bool(found[0] if isinstance(found, tuple) else found), memory("VmHWM") - before, message.get_message_size())
"""
# call -> how many copies of the body may exist beside it at the worst moment
CALLS = {
    "message.body_match('needle')": 1.2,
    "message.raw_match('needle')": 2.2,
    "message.text_match('needle')": 2.2,
    "message.mime().body_match('needle')": 2.2,
    "message.mime().text_match('needle')": 2.2,
    "message.body_replace('needle', 'pin')": 3.2,
    "message.body_replace('fox', 'cat')": 3.2,
    "message.raw_replace('lazy', 'busy')": 3.2,
    "message.text_replace('dog', 'cow')": 4.2,
}


@pytest.mark.parametrize(("call", "copies"), CALLS.items(), ids=CALLS.keys())
def test_a_hundred_megabytes_take_a_few_copies(call: str, copies: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SIZE), call],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, grown, size = done.stdout.split()
    assert found == "True"
    assert int(size) > SIZE * 0.99
    assert int(grown) < copies * SIZE, f"{call}: {int(grown) / SIZE:.2f} copies"
