"""The steps of preparing a track; each is one kind of job.

::

    a link     import ──► download ──► import ──► separate ──► analyse ──► cue ──► tag
    a file                             import ──► separate ──► analyse ──► cue ──► tag

A track is ready when its cues are set, with tags or without. A step runs a worker for what is slow
or may crash, and writes the result in the transaction that ends its job. Steps are idempotent. No
step knows a client or the socket.
"""
