"""Cues and loops of tracks, by hand or found by an analysis; eight of them on hot-cue buttons.

What a person made stays: an analysis made again replaces only what the one before had found, and
leaves alone a button that is in use. Whoever changes an automatic cue makes it hers; that one, and
one that was removed, no analysis brings again. All functions take a connection that `Database`
lent; those of a person want a durable transaction.
"""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sfa_engine.audio.media import HOT_CUES
from sfa_engine.desk.deck import LONGEST_S, STEMS
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.library.database import Connection, change, insert, row, rows
from sfa_engine.library.track import check_places
from sfa_engine.library.tracks import get, settle

EDITABLE = ("position_s", "end_s", "kind", "slot", "label", "color", "stem")
MOST_LABEL = 200  # characters
SAME_S = 0.5  # an analysis made again may find a place a beat away

_COLOR = re.compile("#[0-9a-f]{6}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAKE_SLOT = "UPDATE cues SET slot = NULL WHERE track_id = ? AND slot = ?"


@dataclass(frozen=True, slots=True)
class Cue:
    """A marked place of a track, or a stretch to loop.

    Parameters
    ----------
    position_s : float
        Seconds from the track's start.
    kind : str
        ``cue``, ``loop``, ``drop``, ``intro`` …
    end_s : float, optional
        Of a loop.
    slot : int, optional
        The hot-cue button, 1..8.
    label : str
    color : str
        ``#rrggbb``, or empty.
    stem : str, optional
        The stem that a loop is of.
    by_hand : bool
    id : int
        0 until it is stored.
    """

    position_s: float
    kind: str = "cue"
    end_s: float | None = None
    slot: int | None = None
    label: str = ""
    color: str = ""
    stem: str | None = None
    by_hand: bool = True
    id: int = 0

    def __post_init__(self) -> None:
        for words, value in (("a cue", self.position_s), ("the end of a loop", self.end_s)):
            if value is not None and not (_is_number(value) and 0 <= value <= LONGEST_S):
                raise Refused(
                    f"{words} at {value!r:.40} s cannot be", f"give seconds from 0 to {LONGEST_S:g}"
                )
        if self.end_s is not None and self.end_s <= self.position_s:
            raise Refused(
                f"a loop from {self.position_s:g} s to {self.end_s:g} s", "end it after its start"
            )
        if self.slot is not None and (type(self.slot) is not int or not 1 <= self.slot <= HOT_CUES):
            raise Refused(f"hot cue {self.slot!r:.40}", f"they go from 1 to {HOT_CUES}")
        for name, text in (("kind", self.kind), ("label", self.label), ("color", self.color)):
            if not isinstance(text, str) or len(text) > MOST_LABEL or _SURROGATE.search(text):
                raise Refused(f"{name} is {text!r:.40}", f"give a text of {MOST_LABEL} characters")
        if self.color and not _COLOR.fullmatch(self.color):
            raise Refused(f'color is "{self.color:.40}"', 'write it like "#ff8800"')
        if self.stem is not None and self.stem not in STEMS:
            raise Refused(
                f"no stem is called {self.stem!r:.40}",
                did_you_mean(str(self.stem), STEMS) or f"the names are {', '.join(STEMS)}",
            )


async def cues_of(connection: Connection, track_id: int) -> list[Cue]:
    """Return a track's cues in the order of their places."""
    found = await rows(
        connection, "SELECT * FROM cues WHERE track_id = ? ORDER BY position_s, id", (track_id,)
    )
    return [_read(cue) for cue in found]


async def add(connection: Connection, track_id: int, cue: Cue) -> Cue:
    """Store a cue; it takes its hot-cue button from whatever was on it. Return it with its id."""
    track = await get(connection, track_id)
    check_places(track, position_s=cue.position_s, end_s=cue.end_s)
    if cue.slot is not None:
        await change(connection, _TAKE_SLOT, (track_id, cue.slot))
    number = await _insert(connection, track_id, cue)
    await settle(connection, track_id)
    return replace(cue, id=number)


async def edit(connection: Connection, cue_id: int, **values: Any) -> Cue:
    """Change a cue, which is by hand from then on; return it.

    Parameters
    ----------
    connection : Connection
    cue_id : int
    **values
        Fields of `Cue`: ``position_s``, ``end_s``, ``kind``, ``slot``, ``label``, ``color``,
        ``stem``.
    """
    for name in values:
        if name not in EDITABLE:
            raise Refused(
                f'no "{name:.40}" of a cue can be edited',
                did_you_mean(name, EDITABLE) or f"these can: {', '.join(EDITABLE)}",
            )
    there, track_id = await _get(connection, cue_id)
    cue = replace(there, **values, by_hand=True)
    if not there.by_hand:
        await _forgo(connection, track_id, there)
    moved = {name: values.get(name) for name in ("position_s", "end_s")}
    check_places(await get(connection, track_id), **moved)
    if cue.slot is not None and cue.slot != there.slot:
        await change(connection, _TAKE_SLOT, (track_id, cue.slot))
    await change(
        connection,
        "UPDATE cues SET origin = 'hand', kind = ?, position_s = ?, end_s = ?, slot = ?,"
        " label = ?, color = ?, stem = ?, changed_at = ? WHERE id = ?",
        (
            cue.kind, cue.position_s, cue.end_s, cue.slot, cue.label, cue.color, cue.stem,
            time.time(), cue_id,
        ),
    )  # fmt: skip
    await settle(connection, track_id)
    return cue


async def set_hot_cue(
    connection: Connection, track_id: int, slot: int, position_s: float, **values: Any
) -> Cue:
    """Put a hot cue on a button, as a performer does; what was on it by hand is replaced."""
    cue = Cue(position_s, slot=slot, **values)
    await change(
        connection,
        "DELETE FROM cues WHERE track_id = ? AND slot = ? AND origin = 'hand'",
        (track_id, slot),
    )
    return await add(connection, track_id, cue)


async def remove(connection: Connection, cue_id: int) -> int:
    """Forget a cue, an automatic one for good; return whose track's it was."""
    there, track_id = await _get(connection, cue_id)
    if not there.by_hand:
        await _forgo(connection, track_id, there)
    await change(connection, "DELETE FROM cues WHERE id = ?", (cue_id,))
    await settle(connection, track_id)
    return track_id


async def replace_automatic(connection: Connection, track_id: int, cues: Sequence[Cue]) -> None:
    """Store what an analysis found in place of what the one before had found.

    A cue whose button is in use, by hand or by an earlier one of these, comes without a button; one
    that a person removed or changed does not come.
    """
    unwanted = await rows(connection, "SELECT * FROM unwanted_cues WHERE track_id = ?", (track_id,))
    await change(
        connection, "DELETE FROM cues WHERE track_id = ? AND origin = 'automatic'", (track_id,)
    )
    taken = {cue.slot for cue in await cues_of(connection, track_id)}
    for cue in cues:
        if any(_is_same(cue, each) for each in unwanted):
            continue
        slot = None if cue.slot in taken else cue.slot
        taken.add(slot)
        await _insert(connection, track_id, replace(cue, slot=slot, by_hand=False))


async def _forgo(connection: Connection, track_id: int, cue: Cue) -> None:
    """Keep in mind that an automatic cue is not wanted as it is."""
    await change(
        connection,
        "INSERT INTO unwanted_cues (track_id, kind, position_s, end_s, stem)"
        " VALUES (?, ?, ?, ?, ?)",
        (track_id, cue.kind, cue.position_s, cue.end_s, cue.stem),
    )


def _is_same(cue: Cue, unwanted: sqlite3.Row) -> bool:
    """Return whether a cue is, as far as an analysis can tell, one that is not wanted."""
    if (cue.kind, cue.stem, cue.end_s is None) != (
        unwanted["kind"], unwanted["stem"], unwanted["end_s"] is None,
    ):  # fmt: skip
        return False
    places = [(cue.position_s, unwanted["position_s"]), (cue.end_s or 0, unwanted["end_s"] or 0)]
    return all(abs(here - there) <= SAME_S for here, there in places)


async def _insert(connection: Connection, track_id: int, cue: Cue) -> int:
    return await insert(
        connection,
        "INSERT INTO cues (track_id, origin, kind, position_s, end_s, slot, label, color, stem,"
        " changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            track_id, "hand" if cue.by_hand else "automatic", cue.kind, cue.position_s, cue.end_s,
            cue.slot, cue.label, cue.color, cue.stem, time.time(),
        ),
    )  # fmt: skip


async def _get(connection: Connection, cue_id: int) -> tuple[Cue, int]:
    """Return a cue and whose track's it is."""
    found = await row(connection, "SELECT * FROM cues WHERE id = ?", (cue_id,))
    if found is None:
        raise Refused(f"no cue {cue_id}", "look at the cues of the track")
    return _read(found), found["track_id"]


def _read(found: sqlite3.Row) -> Cue:
    values = {name: found[name] for name in EDITABLE}
    return Cue(**values, by_hand=found["origin"] == "hand", id=found["id"])


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]
