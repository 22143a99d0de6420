"""Analysis of a track: tempo, beats, bars, key, loudness, structure, cues.

NumPy only, so that a worker starts in a quarter of a second. One pass over the sound makes
everything that grows with it small; the rest works on that::

    blocks ─► listen ─► bands 1 kHz ─► onset ─► tempo ─► grid | drift ─► downbeat ─┐
                  ├───► spectra 20 Hz ────────────────────────────────► structure ─► cue
                  ├───► pitches 3 Hz ─► key                                         │
                  └───► loudness 10 Hz ─► loudness        analysis puts it together ◄┘

The worker program is ``python -m sfa_engine.prep.analyse``. Nothing here knows the library's
database, the engine or the command line.
"""
