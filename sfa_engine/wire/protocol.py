"""The protocol's version and limits, declared once for every server and client.

The version is raised by an incompatible change: a verb or parameter is removed, renamed, or changes
its meaning or shape. An addition does not raise it.
"""

from __future__ import annotations

VERSION = 1
MAX_BYTES = 2 << 20  # of a message: `describe` of four decks has 1.1 MB
MAX_CLIENTS = 200
MAX_CONCURRENT = 64  # requests of a client in progress; more are not read
MAX_ANSWERS = 64  # queued for a client that does not read; then it is not read from either
FRAME_TIMEOUT_S = 10.0  # for the rest of a frame
CLOSE_TIMEOUT_S = 1.0  # for a client to read why the connection is closed
FINISH_POLL_S = 0.05  # between looks whether a client that sends no more still reads
CHUNK = 65_536
