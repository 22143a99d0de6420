"""A telephone: a narrow band-pass, overdriven.

Knobs: A the middle of the band, B how narrow it is, C the drive.
"""

import pyo


def effect(source, a, b, c):
    middle = pyo.Pow(8.0, a, mul=300)  # 300 to 2400 Hz
    driven = pyo.Disto(source, drive=c * 0.9, slope=0.6, mul=0.5)
    return pyo.ButBP(driven, freq=middle, q=b * 6 + 0.7)
