"""A ring modulator in NumPy, without pyo.

Knobs: A the frequency, 20 to 2000 Hz; B nothing; C how much.
"""

import numpy as np

RATE = 48_000.0
phase = 0.0


def process(samples, knobs, beat, tempo):
    """Return as many frames as came in: float32[frames, 2]."""
    global phase
    step = 20.0 * 100.0 ** knobs[0] / RATE
    turns = phase + step * np.arange(len(samples))
    phase = (phase + step * len(samples)) % 1.0
    tone = np.sin(2 * np.pi * turns).astype(np.float32)[:, None]
    share = np.float32(knobs[2])
    return samples * (1 - share + share * tone)
