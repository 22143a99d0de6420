"""Reads what the planner knows of tracks: rows, analysis, grid in force, manifest and curves.

::

    tracks, analyses, grids ──┐
    track.json, curves.sfc ───┼──► mix.facts.facts_of ──► TrackFacts, kept until one of them changes
    KeptShelf ── vector ──────┘

What is missing is left out: a track that was only imported has a name and a length.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.kept_shelf import KeptShelf
from sfa_engine.errors import MediaError
from sfa_engine.library import analysis, grids, tracks
from sfa_engine.library.analysis import Analysis
from sfa_engine.library.database import Connection, rows
from sfa_engine.library.grids import TrackGrid
from sfa_engine.library.track import Track
from sfa_engine.mix.facts import LOUDNESS, PEAKS, TrackFacts, facts_of
from sfa_engine.mix.shelf import Shelf
from sfa_engine.track import media
from sfa_engine.track.curves import FILE, read_curves
from sfa_engine.track.media import MANIFEST, WHOLE

logger = logging.getLogger(__name__)
MAX_KEPT = 1000  # tracks, 30 kB each
MAX_SLOTS = 500  # in one query
State = tuple[Any, ...]


FILES = (MANIFEST, FILE)


class FactsReader:
    """Reads the facts of tracks, and keeps them until something that they are made from changes.

    Parameters
    ----------
    context : PrepContext
    shelf : KeptShelf, optional
        What tracks sound like, kept for searches; without it one of its own.
    """

    def __init__(self, context: PrepContext, shelf: KeptShelf | None = None) -> None:
        self._context = context
        self._shelf = shelf or KeptShelf()
        self._kept: OrderedDict[int, tuple[State, TrackFacts]] = OrderedDict()

    async def of(self, ids: Sequence[int]) -> dict[int, TrackFacts]:
        """Return the facts of tracks by their numbers.

        Parameters
        ----------
        ids : sequence of int

        Returns
        -------
        dict of int to TrackFacts
            In the order of `ids`. Tracks that were removed, and numbers of none, are left out; of
            others there is what is known.
        """
        async with self._context.database.reading() as connection:
            states = await _states(connection, ids)
        stamps = await asyncio.to_thread(self._stamps, states)
        found: dict[int, TrackFacts] = {}
        for number in dict.fromkeys(ids):
            if number not in states:
                self._kept.pop(number, None)
                continue
            state = (*states[number], *stamps[number])
            kept = self._kept.get(number)
            if kept is None or kept[0] != state:
                facts = await self._read(number)
                if facts is None:
                    continue
                kept = state, facts
                self._kept[number] = kept
            self._kept.move_to_end(number)
            found[number] = kept[1]
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        shelf = await self._shelf.get(self._context.database)
        return {number: _with_vector(facts, shelf) for number, facts in found.items()}

    async def energies(self) -> list[float]:
        """Return the energies of all tracks of the library, for percentiles."""
        shelf = await self._shelf.get(self._context.database)
        energy = shelf.numbers["energy"]
        known: list[float] = energy[~np.isnan(energy)].tolist()
        return known

    def _stamps(self, states: Mapping[int, State]) -> dict[int, State]:
        """Return the times of the files that facts are made from. Blocks."""
        return {
            number: tuple(_time_ns(self._context.places.bundles / bundle / name) for name in FILES)
            if bundle
            else ()
            for number, (bundle, *_) in states.items()
        }

    async def _read(self, number: int) -> TrackFacts | None:
        """Read the facts of a track; None if it was removed meanwhile."""
        async with self._context.database.reading() as connection:
            track = next(iter(await tracks.listed(connection, [number])), None)
            if track is None or track.deleted_at is not None:
                return None
            known = await analysis.analysis_of(connection, number)
            grid = await grids.grid_of(connection, number)
            stems = await analysis.stems_of(connection, number)
        whole = [stem.name for stem in stems if not stem.preview]
        bundle = self._context.places.bundles / track.bundle if track.bundle else None
        return await asyncio.to_thread(_made, track, known, grid, whole, bundle)


class _Sound(NamedTuple):
    """What a bundle has: gain, length, stems, tables of its curves."""

    gain_db: float
    length_s: float | None
    stems: Sequence[str]
    curves: Mapping[str, tuple[ArrayLike, float]]


def _made(
    track: Track,
    known: Analysis | None,
    grid: TrackGrid | None,
    stems: Sequence[str],
    bundle: Path | None,
) -> TrackFacts:
    """Return the facts of a track. Blocks."""
    sound = _Sound(0.0, track.duration_s, (), {})
    if bundle is not None:
        try:
            sound = _sound(bundle, stems)
        except MediaError as error:  # a check of the library reports it
            logger.info("track %d is planned without its sound: %s", track.id, error)
    return facts_of(
        track.id,
        name=track.name,
        artist=track.artist,
        album=track.album,
        length_s=sound.length_s,
        grid=grid.grid if grid else None,
        rate=grid.rate if grid else media.RATE,
        by_hand=grid is not None and grid.by_hand,
        confidence=known.confidence if known else None,
        bpm=track.bpm,
        variable=known.variable if known else False,
        key=track.key,
        energy=track.energy,
        lufs=known.lufs if known else None,
        gain_db=sound.gain_db,
        sections=[(s.start_s, s.end_s, s.label) for s in known.sections] if known else (),
        features=known.features if known else None,
        stems=sound.stems,
        curves=sound.curves,
    )


def _sound(bundle: Path, stems: Sequence[str]) -> _Sound:
    manifest = media.read_bundle(bundle).track
    there = [stem.name for stem in manifest.stems if stem.name in stems]
    tables: dict[str, tuple[ArrayLike, float]] = {}
    with suppress(MediaError):  # not analysed yet
        curves = read_curves(bundle)
        if curves.digest == manifest.digest:
            for name in (LOUDNESS, *(f"{PEAKS}{stem}" for stem in (WHOLE, *there))):
                if name in curves.tables:
                    tables[name] = curves.values(name), curves.tables[name].rate_hz
    return _Sound(manifest.gain_db, manifest.frames / manifest.rate, there, tables)


def _with_vector(facts: TrackFacts, shelf: Shelf) -> TrackFacts:
    """Return facts with the track's place among similar ones, which moves with the library."""
    row = shelf.row(facts.id)
    if row is None or not shelf.described[row]:
        return facts
    return replace(facts, vector=tuple(shelf.vector(row).tolist()))


async def _states(connection: Connection, ids: Sequence[int]) -> dict[int, State]:
    """Return of each track that is there its bundle, and when its rows changed."""
    states: dict[int, State] = {}
    for at in range(0, len(ids), MAX_SLOTS):
        part = ids[at : at + MAX_SLOTS]
        found = await rows(
            connection,
            "SELECT id, bundle, changed_at,"  # noqa: S608 - question marks
            " (SELECT made_at FROM analyses WHERE track_id = tracks.id),"
            " (SELECT total(changed_at) FROM grids WHERE track_id = tracks.id),"
            " (SELECT max(made_at) FROM stems WHERE track_id = tracks.id)"
            " FROM tracks WHERE deleted_at IS NULL"
            f" AND id IN ({', '.join('?' * len(part))})",
            part,
        )
        states |= {int(each["id"]): tuple(each)[1:] for each in found}
    return states


def _time_ns(file: Path) -> int:
    """Return when a file was written; 0 if it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
