"""What is done with a track, step by step; each is one kind of job.

::

    a link     import ──► download ──► import ──► separate ──► analyse ──► cue
    a file                             import ──► separate ──► analyse ──► cue

A step asks a worker for what is slow or may crash, and writes down what came of it in the
transaction that ends its job. Done twice, it ends alike. No step knows a client or the socket.
"""
