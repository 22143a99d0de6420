"""Of processes that a test starts with this folder in PYTHONPATH: writes where they connect to."""

import os
import sys


def _watch(event: str, args: tuple) -> None:
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        address = args[0] if event == "socket.getaddrinfo" else args[1]
        # A write of its own for each line: several processes append to the file.
        os.write(_LOG, f"{event} {address!r}\n".encode())


_LOG = os.open(os.environ["SFA_TEST_CONNECTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
sys.addaudithook(_watch)
