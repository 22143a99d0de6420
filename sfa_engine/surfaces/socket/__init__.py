"""The control socket: the stage's verbs, and what is pushed. See ``docs/protocol.md``.

The protocol itself is `sfa_engine.wire`'s.
"""
