"""Open Sound Control: the desk's controls for tablets and programs, over UDP and TCP.

See ``docs/osc.md``. ``address``, ``packet``, ``framing`` and ``feedback`` do no I/O.
"""
