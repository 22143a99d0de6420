"""Test pieces for the analysis: made by rule, with the truth of every beat; no sound is recorded.

::

    kinds ──► song (a score in beats, a clock) ──► edit (tape, cuts) ──► .flac + .json
              drum, voice (sounds, varied by seed)

Knows nothing of the analysis. Use it from the command line::

    python -m sfa_engine.bench.pieces --list
    python -m sfa_engine.bench.pieces --kinds house,tape_wow --seed 7 --count 3 FOLDER

or from Python: ``make_piece("house", 7)`` returns the sound and its `Truth`.
"""

from __future__ import annotations

from sfa_engine.bench.pieces import band, club, moving, odd  # noqa: F401 - they enter their kinds
from sfa_engine.bench.pieces.kinds import GROUPS, KINDS, make_piece, write_piece
from sfa_engine.bench.pieces.truth import Piece, Truth

__all__ = ["GROUPS", "KINDS", "Piece", "Truth", "make_piece", "write_piece"]
