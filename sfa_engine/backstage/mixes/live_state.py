"""Where a live mix is, and what the engine says: values, and the file in which the first is kept.

No decisions here; see `live_decision`.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
from msgspec import Struct

from sfa_engine.mix.document import Plan, PlannedTrack, Transition
from sfa_engine.system.atomic import write_durably

logger = logging.getLogger(__name__)
FILE = "live-mix.json"  # in the data folder


class LiveState(Struct):
    """Where a live mix is; kept in a file.

    Parameters
    ----------
    name : str
        Of the stored plan.
    plan : Plan
        As it is performed.
    place : int
        Of the track that sounds, from 0; -1: none has started.
    engine : int
        Number of the engine's memory that the next ones are of.
    since : mapping of int to int
        Of each deck, the count of commands since which the mix has its controls.
    loaded : int, optional
        Track that stands on the deck of the next one.
    start_frame, over_frame, end_frame : int
        When the transition that is queued begins, when the outgoing deck stops, and when the last
        command is; 0: none is queued.
    anchor : float
        Frame at which the entrance would have begun, by which the transition was queued.
    started_at : float
        Seconds since 1970.
    dropped : list of str
        Tracks that could not be played, each with the reason.
    """

    name: str
    plan: Plan
    place: int = -1
    engine: int = 0
    since: dict[int, int] = {}
    loaded: int | None = None
    start_frame: int = 0
    over_frame: int = 0
    end_frame: int = 0
    anchor: float = 0.0
    started_at: float = 0.0
    dropped: list[str] = []

    @property
    def tracks(self) -> tuple[PlannedTrack | None, PlannedTrack | None]:
        """The track that sounds and the next one."""
        planned = self.plan.tracks
        now = planned[self.place] if 0 <= self.place < len(planned) else None
        then = planned[self.place + 1] if self.place + 1 < len(planned) else None
        return now, then

    @property
    def pair(self) -> tuple[PlannedTrack, PlannedTrack]:
        """The same where there are both."""
        now, then = self.tracks
        assert now is not None
        assert then is not None
        return now, then

    @property
    def transition(self) -> Transition | None:
        """The one between them."""
        if 0 <= self.place < len(self.plan.transitions):
            return self.plan.transitions[self.place]
        return None


class Deck(Struct, frozen=True):
    """A deck, as `automation.status` has it."""

    bundle: str
    playing: bool
    position_s: float
    rate: float
    fader_db: float

    def has(self, bundle: str | None) -> bool:
        """Return whether a bundle, by its name, is loaded."""
        return bundle is not None and Path(self.bundle).name == bundle


class Stand(Struct, frozen=True):
    """What `automation.status` returns."""

    set: int
    frame: int
    rate: float
    seq: int
    taken: dict[str, int]
    waiting: int
    decks: list[Deck]

    def deck(self, track: PlannedTrack) -> Deck:
        """Return the deck of a track."""
        return self.decks[track.deck - 1]


class StateFile:
    """The file of a live mix's state. Its methods block.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, state: LiveState) -> None:
        """Write it; OSError if the disk refuses."""
        write_durably(self._path, msgspec.json.encode(state), 0o600)

    def read(self) -> LiveState | None:
        """Return what was written last; None if there is none, or it cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=LiveState)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            logger.warning("the mix that ran is lost: %s", error)
            return None

    def remove(self) -> None:
        """Remove it."""
        self._path.unlink(missing_ok=True)
