"""A wah that sings: two band-passes of a vowel, which an oscillator moves.

Knobs: A how fast, B how far it moves, C how sharp the bands are.
"""

import pyo


def effect(source, a, b, c):
    slow = pyo.Sine(freq=a * 4 + 0.1, mul=b, add=1.0)
    sharp = c * 20 + 2
    low = pyo.ButBP(source, freq=slow * 400 + 200, q=sharp)
    high = pyo.ButBP(source, freq=slow * 900 + 600, q=sharp)
    return (low + high) * 3
