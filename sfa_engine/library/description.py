"""What a bundle says of its track, kept the same as the library's rows.

::

    rows: names, rating, grid, key, loudness, cues, sections ──► track.json, written anew whole

The host plays from the bundle alone, and a lost database is made again from the bundles. Changes
are committed first and followed here; if that is cut off, `sfa_engine.library.check` sees it.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

from sfa_engine.audio import media
from sfa_engine.library import cues as cue_rows
from sfa_engine.library.analysis import (
    Analysis,
    Section,
    StemOrigin,
    analysis_of,
    set_stems,
    store,
)
from sfa_engine.library.bundle import SUFFIX, rewrite_facts
from sfa_engine.library.color import is_color
from sfa_engine.library.correction import at_rate
from sfa_engine.library.cues import Cue, cues_of
from sfa_engine.library.database import Connection, Database
from sfa_engine.library.grids import grid_of, set_grid
from sfa_engine.library.places import Places
from sfa_engine.library.tags import MOST_TEXT, Tags, in_one_line
from sfa_engine.library.track import Track
from sfa_engine.library.tracks import add, by_uuid, edit, get, set_bundle, set_state, with_content

LOUDNESS_LUFS = -14.0  # that gains bring tracks to; club masters are about -8, so most go down
MOST_GAIN_DB = 12.0  # up: a very quiet track keeps its noise down
CEILING_DBTP = -1.0  # a gain lifts no peak above it
GIVEN = "given"  # engine of stems that came apart
ADOPTED = "adopted"  # version of an "analysis" that was read out of a bundle


async def follow(database: Database, places: Places, track_id: int) -> bool:
    """Make a track's bundle say what the library knows; return whether it said otherwise.

    Call it after the transaction that changed the track. Nothing happens while there is no
    bundle, or it lies in the trash.

    Raises
    ------
    MediaError
        The bundle cannot be read or written.
    """
    # The reading connection is held meanwhile: of two that follow at once, the later has the
    # newer rows.
    async with database.reading() as connection:
        track = await get(connection, track_id)
        if track.bundle is None or track.deleted_at is not None:
            return False
        folder = places.bundles / track.bundle
        bundle = await asyncio.to_thread(media.read_bundle, folder)
        described = await describe(connection, track, bundle.track)
        return await asyncio.to_thread(rewrite_facts, folder, described)


async def describe(connection: Connection, track: Track, sound: media.Track) -> media.Track:
    """Return what a bundle is to say of a track.

    Parameters
    ----------
    connection : Connection
    track : Track
        The row.
    sound : media.Track
        What the bundle says at present; its stems, rate and length are taken from it, and a
        gain as long as the loudness is not known.
    """
    grid = await grid_of(connection, track.id)
    analysis = await analysis_of(connection, track.id)
    return replace(
        sound,
        title=track.title,
        artist=track.artist,
        album=track.album,
        uuid=track.uuid,
        content_hash=track.content_hash or "",
        key=track.key,
        grid=None if grid is None else at_rate(grid.grid, grid.rate, sound.rate),
        grid_by_hand=grid is not None and grid.by_hand,
        gain_db=sound.gain_db if analysis is None else _gain_db(analysis, sound.gain_db),
        rating=track.rating,
        comment=track.comment,
        color=track.color,
        cues=tuple(_media_cue(cue, sound) for cue in await cues_of(connection, track.id)),
        sections=_media_sections(analysis, sound),
    )


async def adopt(connection: Connection, bundle: media.Bundle) -> Track:
    """Make the row of a bundle that the library does not know, with all that it says.

    Parameters
    ----------
    connection : Connection
        Of a durable transaction.
    bundle : media.Bundle
        In the folder of bundles.

    Returns
    -------
    Track
        As it is in the library now.
    """
    told = bundle.track
    known = bool(told.uuid) and await by_uuid(connection, told.uuid) is not None
    identity = told.uuid if told.uuid and not known else None
    title, artist, album = map(in_one_line, (told.title, told.artist, told.album))
    tags = Tags(title=title, artist=artist, album=album)
    content = told.content_hash or None
    if content is not None and await with_content(connection, content) is not None:
        content = None  # a copy of another track's bundle stays a track of its own
    track, _ = await add(connection, "", content_hash=content, tags=tags, identity=identity)
    await set_bundle(connection, track.id, bundle.path.name, told.frames / told.rate)
    await set_stems(connection, track.id, origins(told))
    if told.key is not None and told.grid_by_hand:
        await edit(connection, track.id, key=told.key)
    color = told.color if is_color(told.color) else ""
    comment = told.comment[:MOST_TEXT]
    await edit(connection, track.id, rating=told.rating, comment=comment, color=color)
    automatic = [cue for cue in told.cues if not cue.by_hand]
    if not told.grid_by_hand or told.sections or automatic:
        await store(
            connection,
            track.id,
            Analysis(
                ADOPTED,
                key=told.key,
                sections=tuple(
                    Section(p.start_frames / told.rate, p.end_frames / told.rate, p.label)
                    for p in told.sections
                ),
            ),
            grid=None if told.grid_by_hand else told.grid,
            rate=told.rate,
            cues=[_row_cue(cue, told.rate) for cue in automatic],
        )
    if told.grid is not None and told.grid_by_hand:
        await set_grid(connection, track.id, told.grid, told.rate, by_hand=True)
    for cue in told.cues:
        if cue.by_hand:
            await cue_rows.add(connection, track.id, _row_cue(cue, told.rate))
    await set_state(connection, track.id, "ready")
    return await get(connection, track.id)


def origins(sound: media.Track) -> list[StemOrigin]:
    """Return where the stems of a bundle come from, as it says; none of a track in one piece."""
    by = sound.separation or media.Separation(GIVEN, "", "")
    return [
        StemOrigin(stem.name, by.engine, by.model, by.version, sketch=by.sketch)
        for stem in sound.stems
        if stem.name != media.WHOLE
    ]


def is_bundle_name(name: str) -> bool:
    """Return whether a folder of this name is a bundle, and not something of ours on its way."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def _gain_db(analysis: Analysis, otherwise: float) -> float:
    """Return the gain that brings a track to the common loudness, its peak below the ceiling."""
    if analysis.lufs is None or not math.isfinite(analysis.lufs):
        return otherwise
    gain = min(LOUDNESS_LUFS - analysis.lufs, MOST_GAIN_DB)
    if gain > 0.0 and analysis.peak_dbtp is not None:
        gain = max(0.0, min(gain, CEILING_DBTP - analysis.peak_dbtp))
    return round(max(gain, media.GAINS[0]), 2)


def _media_cue(cue: Cue, sound: media.Track) -> media.Cue:
    """Return a cue in frames; what lies behind the end of the sound is put before it."""
    start = min(round(cue.position_s * sound.rate), sound.frames - 1)
    end = None if cue.end_s is None else round(cue.end_s * sound.rate)
    return media.Cue(
        start,
        cue.label,
        cue.kind,
        end_frames=None if end is None else min(max(end, start + 1), sound.frames),
        hot_cue=cue.slot,
        color=cue.color,
        stem=cue.stem,
        by_hand=cue.by_hand,
    )


def _row_cue(cue: media.Cue, rate: int) -> Cue:
    return Cue(
        cue.position_frames / rate,
        cue.kind,
        end_s=None if cue.end_frames is None else cue.end_frames / rate,
        slot=cue.hot_cue,
        label=cue.label[: cue_rows.MOST_LABEL],
        color=cue.color,
        stem=cue.stem,
        by_hand=cue.by_hand,
    )


def _media_sections(analysis: Analysis | None, sound: media.Track) -> tuple[media.Section, ...]:
    """Return the sections in frames; one that the sound does not have is left out."""
    if analysis is None:
        return ()
    found = []
    for part in analysis.sections:
        start = max(round(part.start_s * sound.rate), 0)
        end = min(round(part.end_s * sound.rate), sound.frames)
        if start < end:
            found.append(media.Section(start, end, part.label))
    return tuple(found)
