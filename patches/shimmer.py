"""A shimmering room: a reverb, and its octave in another one.

Knobs: A how long it is, B how much of the octave, C how bright.
"""

import pyo


def effect(source, a, b, c):
    size = a * 0.5 + 0.5
    bright = c * 9000 + 1500
    room = pyo.Freeverb(source, size=size, damp=0.4, bal=1.0)
    octave = pyo.Harmonizer(room, transpo=12, feedback=0.2, mul=b)
    above = pyo.Freeverb(octave, size=size, damp=0.2, bal=1.0)
    return pyo.ButLP(room + above, freq=bright)
