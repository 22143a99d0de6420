"""Kinds of cues: what a library calls a cue, and what a deck does with it.

A library's kind may be any word, also of music: ``drop``, ``intro``. A deck knows those of
`sfa_engine.desk.deck.CUE_KINDS`. A cue with an end is a loop there, unless it fades in.
"""

from __future__ import annotations

WHOLE = "mix"  # the stem of a track without stems
PLAIN = ("cue", "loop", "fade_in")  # words that say no more than a deck knows


def deck_kind(kind: str, end_s: float | None, stem: str | None) -> str:
    """Return what a deck does with a cue: a loop of one stem only jumps, for the deck as a whole.

    Parameters
    ----------
    kind : str
        Of the library.
    end_s : float, optional
    stem : str, optional
        The stem of a loop.

    Returns
    -------
    str
        One of `sfa_engine.desk.deck.CUE_KINDS`.
    """
    if end_s is None or stem not in {None, WHOLE}:
        return "cue"
    return "fade_in" if kind == "fade_in" else "loop"


def library_kind(deck: str, before: str) -> str:
    """Return a library's kind for what a deck does, and for what the kind was: a drop stays one."""
    if deck == "fade_in" or before in PLAIN:
        return deck
    return before
