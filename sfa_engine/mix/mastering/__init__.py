"""Mastering: what a report says, what each platform does, and which chain is needed. Pure.

::

    report ─┬─► platforms: what each does to the level
            └─► chain: steps with numbers and reasons ◄── aim, reference

The meters and the sound are in `sfa_engine.prep.master`.
"""
