"""The contract of the processes: engine memory, commands, reports and readings.

Laid out from the desk; shared by host, stage and command line. Imports neither trio, asyncio,
sqlite3 nor logging, and nothing that plays sound.

::

    stage ── commands ──► ring ─┐                ┌─► readings ──► any process
                                ├─► host's kernel┤
    loader ── commands ─► ring ─┘                └─► reports ──► stage
"""

from __future__ import annotations

RATES_HZ = (8_000, 192_000)  # sample rates that the engine runs at
