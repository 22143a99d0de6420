"""The audio plane: memory, rings, the compiled kernel, media, host, device, offline.

Nothing here imports trio, asyncio, sqlite3, logging or anything of the planes above.
What runs in the audio thread stands in `kernel/` and nowhere else.

::

    stage ── commands ──► ring ─┐                       ┌─► readings ── anybody
                                ├─► kernel (compiled) ──┤
    loader ── media slots ──────┘        │              └─► reports ──► stage
                                         ▼
                                       device
"""
