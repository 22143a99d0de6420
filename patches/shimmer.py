"""A shimmering room: a reverb, and another one of its sound, shifted upwards.

Knobs: A how long it is, B how much of the upper one, C how bright.
"""

import pyo


def effect(source, a, b, c):
    size = a * 0.45 + 0.5
    bright = c * 9000 + 1500
    room = pyo.Freeverb(source, size=size, damp=0.4, bal=1.0)
    shifted = pyo.FreqShift(room, shift=330, mul=b)
    above = pyo.Freeverb(shifted, size=size, damp=0.2, bal=1.0)
    return pyo.ButLP(room + above, freq=bright)
