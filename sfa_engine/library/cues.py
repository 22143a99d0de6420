"""Cues and loops of tracks: the user's own or found by an analysis; some are hot cues.

The user's cues stay: a new analysis replaces automatic cues only, and takes no hot cue that is in
use. An automatic cue that the user changes becomes the user's; neither that one nor a deleted one
comes back with the next analysis. All functions take a connection of `Database`; changes by the
user need a durable transaction.
"""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sfa_engine.desk.deck import CUE_KINDS, HOT_CUES, MAX_LENGTH_S, STEMS
from sfa_engine.errors import Absent, Refused, did_you_mean
from sfa_engine.library.database import Connection, change, insert, row, rows
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.track import Track, check_within
from sfa_engine.library.tracks import get, settle
from sfa_engine.track.cue_kind import deck_kind, library_kind

EDITABLE = ("position_s", "end_s", "kind", "slot", "label", "color", "stem", "on_load")
CHANGES = ("position_s", "end_s", "kind", "on_load", "label", "color", "is_new")  # of a hot cue
SAME_MEMORY_S = 0.002  # two memory cues so close are one
MAX_LABEL = 200  # characters
SAME_PLACE_S = 1e-4  # a saved change that is sent again
SAME_S = 0.5  # a new analysis may find the same cue a beat away

_COLOR = re.compile("#[0-9a-f]{6}")
_LIST = "list the cues of the track"
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAKE_SLOT = "UPDATE cues SET slot = NULL WHERE track_id = ? AND slot = ?"


@dataclass(frozen=True, slots=True)
class Cue:
    """A position of a track, or a loop.

    Parameters
    ----------
    position_s : float
        Seconds from the track's start.
    kind : str
        ``cue``, ``loop``, ``drop``, ``intro`` …
    end_s : float, optional
        Of a loop.
    slot : int, optional
        Number of the hot cue, 1..32.
    label : str
    color : str
        ``#rrggbb``, or empty.
    stem : str, optional
        The stem of a loop; None: the whole track.
    on_load : bool
        Whether a deck stands on it when it is loaded.
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
    on_load: bool = False
    by_hand: bool = True
    id: int = 0

    def __post_init__(self) -> None:
        for words, value in (("cue", self.position_s), ("end of a loop", self.end_s)):
            if value is not None and not (_is_number(value) and 0 <= value <= MAX_LENGTH_S):
                raise Refused(
                    f"invalid {words} at {value!r:.40} s",
                    f"give seconds from 0 to {MAX_LENGTH_S:g}",
                )
        if self.end_s is not None and self.end_s <= self.position_s:
            raise Refused(
                f"invalid loop from {self.position_s:g} s to {self.end_s:g} s",
                "end it after its start",
            )
        if self.slot is not None and (type(self.slot) is not int or not 1 <= self.slot <= HOT_CUES):
            raise Refused(f"invalid hot cue {self.slot!r:.40}", f"give 1 to {HOT_CUES}")
        if type(self.on_load) is not bool:
            raise Refused(f"invalid on_load {self.on_load!r:.40}", "give true or false")
        for name, text in (("kind", self.kind), ("label", self.label), ("color", self.color)):
            if not isinstance(text, str) or len(text) > MAX_LABEL or _SURROGATE.search(text):
                raise Refused(
                    f"invalid {name} {text!r:.40}", f"give a text of up to {MAX_LABEL} characters"
                )
        if self.color and not _COLOR.fullmatch(self.color):
            raise Refused(f'invalid color "{self.color:.40}"', 'write it like "#ff8800"')
        if self.stem is not None and self.stem not in STEMS:
            raise Refused(
                f"no stem {self.stem!r:.40}",
                did_you_mean(str(self.stem), STEMS) or f"the names are {', '.join(STEMS)}",
            )


async def cues_of(connection: Connection, track_id: int) -> list[Cue]:
    """Return a track's cues by position."""
    found = await rows(
        connection, "SELECT * FROM cues WHERE track_id = ? ORDER BY position_s, id", (track_id,)
    )
    return [_read(cue) for cue in found]


async def automatic(connection: Connection, track_id: int) -> list[Cue]:
    """Return a track's cues that an analysis found, by position."""
    return [cue for cue in await cues_of(connection, track_id) if not cue.by_hand]


async def add(connection: Connection, track_id: int, cue: Cue) -> Cue:
    """Store a cue, taking its hot cue number from another; return it with its id."""
    track = await get(connection, track_id)
    check_within(track, position_s=cue.position_s, end_s=cue.end_s)
    if cue.slot is not None:
        await change(connection, _TAKE_SLOT, (track_id, cue.slot))
    number = await _insert(connection, track_id, cue)
    await settle(connection, track_id)
    return replace(cue, id=number)


async def edit(connection: Connection, cue_id: int, **values: Any) -> Cue:
    """Change a cue, which becomes the user's; return it.

    Parameters
    ----------
    connection : Connection
    cue_id : int
    **values
        Fields of `Cue`: ``position_s``, ``end_s``, ``kind``, ``slot``, ``label``, ``color``,
        ``stem``, ``on_load``.
    """
    for name in values:
        if name not in EDITABLE:
            raise Refused(
                f'a cue has no editable "{name:.40}"',
                did_you_mean(name, EDITABLE) or f"give one of {', '.join(EDITABLE)}",
            )
    old, track_id = await _get(connection, cue_id)
    cue = replace(old, **values, by_hand=True)
    if not old.by_hand:
        await _suppress(connection, track_id, old)
    moved = {name: values.get(name) for name in ("position_s", "end_s")}
    check_within(await get(connection, track_id), **moved)
    if cue.slot is not None and cue.slot != old.slot:
        await change(connection, _TAKE_SLOT, (track_id, cue.slot))
    await change(
        connection,
        "UPDATE cues SET origin = 'hand', kind = ?, position_s = ?, end_s = ?, slot = ?,"
        " label = ?, color = ?, stem = ?, on_load = ?, changed_at = ? WHERE id = ?",
        (
            cue.kind, cue.position_s, cue.end_s, cue.slot, cue.label, cue.color, cue.stem,
            cue.on_load, time.time(), cue_id,
        ),
    )  # fmt: skip
    await settle(connection, track_id)
    return cue


async def set_hot_cue(
    connection: Connection, track_id: int, slot: int, position_s: float, **values: Any
) -> Cue:
    """Store a hot cue, replacing the user's previous one of that number."""
    cue = Cue(position_s, slot=slot, **values)
    await change(
        connection,
        "DELETE FROM cues WHERE track_id = ? AND slot = ? AND origin = 'hand'",
        (track_id, slot),
    )
    return await add(connection, track_id, cue)


async def save_hot_cue(
    connection: Connection, track: Track, slot: int, changes: Mapping[str, Any]
) -> None:
    """Save what a performer changed of a hot cue on a deck; the same changes again do nothing.

    Parameters
    ----------
    connection : Connection
    track : Track
    slot : int
        Number of the hot cue.
    changes : mapping
        Any of ``position_s`` (None: cleared), ``end_s``, ``kind`` (one of
        `sfa_engine.desk.deck.CUE_KINDS`), ``on_load``, ``label`` and ``color``; with ``is_new`` it
        was stored anew, and nothing is kept of the one that had this number.
    """
    there = next((cue for cue in await cues_of(connection, track.id) if cue.slot == slot), None)
    values = _checked(track, changes)
    if "position_s" in values and values["position_s"] is None:
        if there is not None:
            await remove(connection, there.id)
        return
    is_new = bool(changes.get("is_new"))
    if there is None or is_new:
        if "position_s" not in values:
            return
        values["kind"] = library_kind(values.get("kind", "cue"), "cue")
        made = Cue(slot=slot, **_ended(values))
        if there is None or not _is_saved(there, made, changes):
            kept = {name: getattr(made, name) for name in EDITABLE if name != "slot"}
            await set_hot_cue(connection, track.id, slot, kept.pop("position_s"), **kept)
        return
    if "kind" in values:
        values["kind"] = library_kind(values["kind"], there.kind)
    values = _ended({"position_s": there.position_s, "end_s": there.end_s, **values})
    edited = replace(there, **values)
    if edited != there:
        await edit(connection, there.id, **{name: getattr(edited, name) for name in EDITABLE})


async def save_memory_cue(
    connection: Connection,
    track: Track,
    cue: Cue,
    *,
    delete: bool,
) -> None:
    """Save a memory cue, or delete those at its position; the same again does nothing."""
    cue = replace(cue, position_s=min(cue.position_s, track.duration_s or MAX_LENGTH_S))
    there = [
        each
        for each in await cues_of(connection, track.id)
        if each.slot is None and abs(each.position_s - cue.position_s) <= SAME_MEMORY_S
    ]
    if delete:
        for each in there:
            await remove(connection, each.id)
    elif not any(each.by_hand for each in there):
        await add(connection, track.id, cue)


def _checked(track: Track, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a hot cue as fields of `Cue`, clamped to the track."""
    for name in changes:
        if name not in CHANGES:
            raise Refused(
                f'a hot cue has no "{name:.40}"',
                did_you_mean(name, CHANGES) or f"give one of {', '.join(CHANGES)}",
            )
    values = {name: value for name, value in changes.items() if name != "is_new"}
    for name in ("position_s", "end_s"):
        place_s = values.get(name)
        if place_s is None:
            continue
        if not _is_number(place_s):
            raise Refused(f"{name} is {place_s!r:.40}", "give seconds")
        values[name] = min(max(float(place_s), 0.0), track.duration_s or MAX_LENGTH_S)
    if values.get("kind", "cue") not in CUE_KINDS:
        raise Refused(
            f"kind is {values['kind']!r:.40}", f"a hot cue's is one of {', '.join(CUE_KINDS)}"
        )
    if values.get("kind") == "cue":
        values["end_s"] = None
    return values


def _ended(values: dict[str, Any]) -> dict[str, Any]:
    """Return fields without an end that is not after the start."""
    end_s = values.get("end_s")
    is_after = end_s is not None and end_s > values["position_s"]
    return {**values, "end_s": end_s if is_after else None}


def _is_saved(there: Cue, made: Cue, changes: Mapping[str, Any]) -> bool:
    """Return whether a new hot cue is stored already, as far as its changes say."""
    near = abs(there.position_s - made.position_s) <= SAME_PLACE_S
    named = [name for name in EDITABLE if name in changes and name not in {"position_s", "kind"}]
    is_kind = "kind" not in changes or deck_kind(there.kind, there.end_s, there.stem) == deck_kind(
        made.kind, made.end_s, made.stem
    )
    return near and is_kind and all(getattr(there, n) == getattr(made, n) for n in named)


async def track_of_cue(connection: Connection, cue_id: int, within: str = EVERYTHING) -> int:
    """Return the number of a cue's track; Absent without such a cue on a condition's tracks."""
    found = await row(
        connection,
        "SELECT track_id FROM cues JOIN tracks ON tracks.id = track_id"  # noqa: S608 - ours
        f" WHERE cues.id = ? AND {within}",
        (cue_id,),
    )
    if found is None:
        raise Absent(f"no cue {cue_id}", _LIST)
    return int(found["track_id"])


async def remove(connection: Connection, cue_id: int) -> int:
    """Delete a cue, an automatic one for good; return its track."""
    old, track_id = await _get(connection, cue_id)
    if not old.by_hand:
        await _suppress(connection, track_id, old)
    await change(connection, "DELETE FROM cues WHERE id = ?", (cue_id,))
    await settle(connection, track_id)
    return track_id


async def replace_automatic(connection: Connection, track_id: int, cues: Sequence[Cue]) -> None:
    """Store the cues of an analysis, replacing those of the previous one.

    A cue whose hot cue number is in use gets none; cues that the user deleted or changed are left
    out.
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


async def _suppress(connection: Connection, track_id: int, cue: Cue) -> None:
    """Remember that an automatic cue is unwanted."""
    await change(
        connection,
        "INSERT INTO unwanted_cues (track_id, kind, position_s, end_s, stem)"
        " VALUES (?, ?, ?, ?, ?)",
        (track_id, cue.kind, cue.position_s, cue.end_s, cue.stem),
    )


def _is_same(cue: Cue, unwanted: sqlite3.Row) -> bool:
    """Return whether a cue of an analysis equals an unwanted one."""
    if (cue.kind, cue.stem, cue.end_s is None) != (
        unwanted["kind"], unwanted["stem"], unwanted["end_s"] is None,
    ):  # fmt: skip
        return False
    pairs = [(cue.position_s, unwanted["position_s"]), (cue.end_s or 0, unwanted["end_s"] or 0)]
    return all(abs(a - b) <= SAME_S for a, b in pairs)


async def _insert(connection: Connection, track_id: int, cue: Cue) -> int:
    return await insert(
        connection,
        "INSERT INTO cues (track_id, origin, kind, position_s, end_s, slot, label, color, stem,"
        " on_load, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            track_id, "hand" if cue.by_hand else "automatic", cue.kind, cue.position_s, cue.end_s,
            cue.slot, cue.label, cue.color, cue.stem, cue.on_load, time.time(),
        ),
    )  # fmt: skip


async def _get(connection: Connection, cue_id: int) -> tuple[Cue, int]:
    """Return a cue and its track."""
    found = await row(connection, "SELECT * FROM cues WHERE id = ?", (cue_id,))
    if found is None:
        raise Absent(f"no cue {cue_id}", _LIST)
    return _read(found), found["track_id"]


def _read(found: sqlite3.Row) -> Cue:
    values = {name: found[name] for name in EDITABLE}
    values["on_load"] = bool(values["on_load"])
    return Cue(**values, by_hand=found["origin"] == "hand", id=found["id"])


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]
