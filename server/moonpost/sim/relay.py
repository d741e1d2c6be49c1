"""Carries bytes between standard input and output and a port of this machine, until either side ends."""

from __future__ import annotations

import os
import socket
import sys
import threading

CHUNK = 65_536


def main(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def upwards() -> None:
            while data := os.read(0, CHUNK):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=upwards, daemon=True).start()
        while data := connection.recv(CHUNK):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))
