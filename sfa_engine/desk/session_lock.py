"""The rule of ``session.lock``: what is refused while a set is played. Pure.

===== ============================================ ================================
lock  load and eject                               removal, clean-up, restore, device
===== ============================================ ================================
off   allowed                                      allowed
auto  refused on a deck that is audible            refused while a deck is audible
on    refused on a deck that plays, audible or not refused
===== ============================================ ================================

A deck that stands still can always be loaded. Whatever is refused can be forced.
"""

from __future__ import annotations

from sfa_engine.errors import Locked

FORCE = "force it with --force"


def is_locked(lock: str, *, audible: bool) -> bool:
    """Return whether what concerns the whole set is refused.

    Parameters
    ----------
    lock : {"off", "auto", "on"}
    audible : bool
        Whether any deck is audible.
    """
    return lock == "on" or (lock == "auto" and audible)


def check_deck(
    deck: int, doing: str, lock: str, *, playing: bool, audible: bool, force: bool = False
) -> None:
    """Refuse to change the track of a deck that plays, if the lock says so.

    Parameters
    ----------
    deck : int
        From 1.
    doing : str
        What is refused: ``loading``.
    lock : {"off", "auto", "on"}
    playing, audible : bool
        Of this deck.
    force : bool
        Whether to do it all the same.
    """
    if not force and playing and is_locked(lock, audible=audible):
        state = "audible" if audible else "playing"
        raise Locked(
            f"deck {deck} is {state}: session.lock ({lock}) refuses {doing}", f"stop it, or {FORCE}"
        )


def check_session(doing: str, *, locked: bool, force: bool = False) -> None:
    """Refuse what could ruin the whole set while the session is locked.

    Parameters
    ----------
    doing : str
        What is refused: ``removing a track``.
    locked : bool
        What ``session.locked`` says.
    force : bool
        Whether to do it all the same.
    """
    if locked and not force:
        raise Locked(
            f"the session is locked: session.lock refuses {doing}",
            f"wait until no deck is audible, or {FORCE}",
        )
