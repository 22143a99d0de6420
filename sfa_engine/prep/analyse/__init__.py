"""Analysis of a track: tempo, beats, bars, key, loudness, structure, cues.

NumPy only, so that a worker starts in a quarter of a second. One pass over the sound makes
everything that grows with it small; the rest works on that::

    blocks ─► measurement ─► bands 1 kHz ─► onset ─► tempo ─► octave ─┬─► bar ─► grid ──┬─► beat
                  │                                              └─► step | drift ─┘    │
                  ├───► spectra 20 Hz ──────────────────────────────► structure ◄───────┤
                  ├───► pitches 3 Hz ─► key                               │             │
                  └───► power 10 Hz ──► loudness                         cue ◄── loop ◄─┘

`analysis` puts it together. Stems, where there are any, give loops, and drums the beats' places.
The worker program is ``python -m sfa_engine.prep.analyse``. Nothing here knows the library's
database, the engine or the command line.
"""
