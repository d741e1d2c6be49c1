"""Whether a message costs the same after twenty thousand others have come and gone.

    .venv/bin/python bench/churn.py [--messages 25000]

One server receives, keeps, delivers and removes all the time; a spool that slows down with what was deleted shows.
"""

from __future__ import annotations

import argparse
import statistics

from accept import Lost
from peers import RELAYING, Server
from report import Row, table

BATCH = 1000
COMPARED = 5  # batches at each end
TARGET = 1.3


def churning(messages: int = 25_000) -> list[Row]:
    """The processor time of the last five thousand messages beside that of the first five thousand. Raises Lost."""
    server = Server("ours", RELAYING)
    try:
        server.load("4k-d", BATCH)  # warm-up
        found = [server.load("4k-d", BATCH) for _ in range(messages // BATCH)]
        if server.sink and server.sink.received() != server.sent:
            raise Lost(f"{server.sent} sent, {server.sink.received()} delivered")
    finally:
        server.stop()
    first, last = found[:COMPARED], found[-COMPARED:]
    ratio = statistics.median(last) / statistics.median(first)
    what = f"the last {COMPARED * BATCH:,} of {messages:,}"
    row = Row(
        "churn", what, statistics.median(last), "s/1000", f"the first {COMPARED * BATCH:,}",
        ratio, min(last) / max(first), max(last) / min(first), 1, TARGET,
    )  # fmt: skip
    return [row]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=25_000)
    print(table(churning(parser.parse_args().messages)))


if __name__ == "__main__":
    main()
