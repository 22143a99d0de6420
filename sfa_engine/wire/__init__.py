"""How our processes speak with each other and with clients: frames and messages. Pure.

The stage's socket, backstage's socket and every client share it. No I/O, no event loop, no verbs.
"""
