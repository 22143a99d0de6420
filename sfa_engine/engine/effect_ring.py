"""The memory that the host shares with the process of a user effect: see `kernel.fx_user`.

The kernel gathers a quantum of frames, the device's block, and wakes the process by an eventfd; it
reads what came back when the next quantum begins. Whatever is not there then is late. Knows NumPy
only: the process of an effect imports nothing else of ours.

::

    kernel   in[k & 3] ─ sent = k ─ eventfd ──►  process   out[k & 3] ─ returned = k
"""

from __future__ import annotations

import numpy as np

MOST_FRAMES = 2048  # of a quantum
LEAST_FRAMES = 64
QUANTA = 4
MAGIC = 0x5FAEFFEC7
_LINE = 64  # bytes; what both sides write lies on lines of its own
EFFECT_RING = np.dtype(
    [
        ("magic", "i8"),
        ("sample_rate", "f8"),
        ("wake_fd", "i8"),  # eventfd, in the host
        ("pad0", "u1", (_LINE - 24,)),
        ("sent", "i8"),  # the kernel's: number of the newest quantum, from 1
        ("frames", "i8"),  # of it
        ("knobs", "f8", (3,)),  # 0 to 1
        ("beat", "f8"),  # at its start
        ("tempo", "f8"),  # beats a second
        ("late", "i8"),  # quanta that did not come back in time
        ("pad1", "u1", (_LINE,)),
        ("returned", "i8"),  # the process's: number of the newest quantum that is done
        ("pad2", "u1", (_LINE,)),
        ("input", "f4", (QUANTA, 2, MOST_FRAMES)),
        ("output", "f4", (QUANTA, 2, MOST_FRAMES)),
    ],
    align=True,
)
