"""MIDI clock in the engine's memory: what is known of the clock that a slot receives and sends.

Only the host's MIDI client writes it: see `host.kernel.midi_clock`.
"""

from __future__ import annotations

import numpy as np

WINDOW = 120  # ticks that a tempo is taken from: five beats
ARRIVALS = 9  # the newest ticks as they came, doubled ones too: eight intervals

MIDI_CLOCK = np.dtype(
    [
        # in: times are engine frames, with a fraction where they are worked out
        ("ticks", "i8"),  # in the window
        ("index", "i8", (WINDOW,)),  # number of each tick, as the sender counts them
        ("time", "f8", (WINDOW,)),
        ("sorted", "f8", (WINDOW,)),  # scratch
        ("arrivals", "i8"),
        ("arrival", "f8", (ARRIVALS,)),
        ("arrival_index", "i8", (ARRIVALS,)),
        ("fit_index", "i8"),
        ("fit_time", "f8"),  # of that tick, by the regression
        ("period", "f8"),  # frames a tick
        ("jitter", "f8"),  # frames: standard deviation, from the median of the deviations
        ("heard", "f8"),  # time of the newest tick
        ("locked", "i8"),
        ("elected", "i8"),  # 1: the session may follow this slot
        ("told_index", "i8"),  # newest tick at the last `Op.FOLLOW`
        ("running", "i8"),
        ("starting", "i8"),  # 1: the next tick is at `song`
        ("song", "i8"),  # position in ticks at which it goes on
        ("base_index", "i8"),  # a tick whose position is …
        ("base_song", "i8"),
        ("doubled", "i8"),
        ("missing", "i8"),
        # out: half ticks are counted, as start goes between two ticks
        ("out_on", "i8"),
        ("out_next", "i8"),  # half tick that comes next
        ("out_started", "i8"),
        ("out_aligned", "i8"),  # `CLOCK.aligned` when the position was last sent
    ]
)
