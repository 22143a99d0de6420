"""How our processes speak with each other and with clients: frames and messages. Pure.

The stage's socket, backstage's socket and every client share it. No I/O, no event loop, no verbs.
"""

from __future__ import annotations

# Where processes and clients meet, in the runtime folder.
ENGINE = "engine.sock"
BACKSTAGE = "backstage.sock"
