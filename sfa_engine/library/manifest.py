"""The manifest of a bundle, ``track.json``, kept equal to the library's rows.

::

    rows: names, rating, grid, key, loudness, cues, sections ──► track.json, replaced atomically
    the cover in the folder of covers                        ──► cover.jpg

The host plays from the bundle alone, and a lost database is rebuilt from the bundles. Rows are
committed first; after a crash before the manifest is written `sfa_engine.library.check` finds it.
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

from msgspec.structs import replace

from sfa_engine.library import cues as cue_rows
from sfa_engine.library.analysis import (
    Analysis,
    Section,
    StemOrigin,
    analysis_of,
    set_stems,
    store,
)
from sfa_engine.library.bundle import SUFFIX, rewrite_manifest
from sfa_engine.library.color import is_color
from sfa_engine.library.content import bundle_cover, keep_cover, put_cover
from sfa_engine.library.cues import Cue, cues_of
from sfa_engine.library.database import Connection, Database
from sfa_engine.library.grids import grid_of, set_grid
from sfa_engine.library.places import Places
from sfa_engine.library.tags import MAX_TEXT, Tags, in_one_line
from sfa_engine.library.track import Track
from sfa_engine.library.tracks import (
    add,
    by_uuid,
    edit,
    get,
    set_bundle,
    set_cover,
    set_state,
    with_content,
)
from sfa_engine.track import media
from sfa_engine.track.correction import at_rate

LOUDNESS_LUFS = -14.0  # target of the gains; club masters are about -8, so most go down
MAX_GAIN_DB = 12.0  # up: a very quiet track keeps its noise down
CEILING_DBTP = -1.0  # no gain raises a peak above it
GIVEN = "given"  # engine of stems that were imported as files
IMPORTED = "adopted"  # version of an "analysis" that was read from a manifest


async def update(database: Database, places: Places, track_id: int) -> bool:
    """Write a track's manifest if its rows differ; return whether they did.

    Call it after the transaction that changed the track. Without a bundle, or with one in the
    trash, nothing happens.

    Raises
    ------
    MediaError
        The bundle cannot be read or written.
    """
    async with database.manifests:  # of two updates at once, the later reads the newer rows
        async with database.reading() as connection:
            track = await get(connection, track_id)
        if track.bundle is None or track.deleted_at is not None:
            return False
        folder = places.bundles / track.bundle
        # The reading connection is free while files are read and fsynced: a load waits for it.
        bundle = await asyncio.to_thread(media.read_bundle, folder)
        async with database.reading() as connection:
            track = await get(connection, track_id)
            if track.deleted_at is not None:
                return False
            wanted = await build(connection, track, bundle.track)
        # New stems come in a new folder, which has no cover yet.
        covered = await asyncio.to_thread(put_cover, folder, places.covers, track.cover)
        return await asyncio.to_thread(rewrite_manifest, folder, wanted) or covered


async def build(connection: Connection, track: Track, sound: media.Track) -> media.Track:
    """Return the manifest of a track.

    Parameters
    ----------
    connection : Connection
    track : Track
        The row.
    sound : media.Track
        The present manifest: stems, rate and length are taken from it, and the gain while the
        loudness is unknown.
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


async def import_bundle(
    connection: Connection, bundle: media.Bundle, covers: Path | None = None
) -> Track:
    """Insert a track, with everything its manifest has, for a bundle that has no row.

    Parameters
    ----------
    connection : Connection
        Of a durable transaction.
    bundle : media.Bundle
        In the folder of bundles.
    covers : Path, optional
        The folder of covers, which gets the bundle's.

    Returns
    -------
    Track
        The new row.
    """
    manifest = bundle.track
    known = bool(manifest.uuid) and await by_uuid(connection, manifest.uuid) is not None
    identity = manifest.uuid if manifest.uuid and not known else None
    title, artist, album = map(in_one_line, (manifest.title, manifest.artist, manifest.album))
    tags = Tags(title=title, artist=artist, album=album)
    content = manifest.content_hash or None
    if content is not None and await with_content(connection, content) is not None:
        content = None  # a copy of another track's bundle becomes a track of its own
    track, _ = await add(connection, "", content_hash=content, tags=tags, identity=identity)
    await set_bundle(connection, track.id, bundle.path.name, manifest.frames / manifest.rate)
    await set_stems(connection, track.id, origins(manifest))
    if manifest.key is not None and manifest.grid_by_hand:
        await edit(connection, track.id, key=manifest.key)
    color = manifest.color if is_color(manifest.color) else ""
    comment = manifest.comment[:MAX_TEXT]
    await edit(connection, track.id, rating=manifest.rating, comment=comment, color=color)
    automatic = [cue for cue in manifest.cues if not cue.by_hand]
    if not manifest.grid_by_hand or manifest.sections or automatic:
        await store(
            connection,
            track.id,
            Analysis(
                IMPORTED,
                key=manifest.key,
                sections=tuple(
                    Section(p.start_frames / manifest.rate, p.end_frames / manifest.rate, p.label)
                    for p in manifest.sections
                ),
            ),
            grid=None if manifest.grid_by_hand else manifest.grid,
            rate=manifest.rate,
            cues=[_row_cue(cue, manifest.rate) for cue in automatic],
        )
    if manifest.grid is not None and manifest.grid_by_hand:
        await set_grid(connection, track.id, manifest.grid, manifest.rate, by_hand=True)
    for cue in manifest.cues:
        if cue.by_hand:
            await cue_rows.add(connection, track.id, _row_cue(cue, manifest.rate))
    found = await asyncio.to_thread(bundle_cover, bundle.path) if covers is not None else None
    if covers is not None and found is not None:
        await set_cover(connection, track.id, await asyncio.to_thread(keep_cover, covers, found[1]))
    await set_state(connection, track.id, "ready")
    return await get(connection, track.id)


def origins(sound: media.Track) -> list[StemOrigin]:
    """Return the origin of each stem, as the manifest has it; none for a track with one stem."""
    by = sound.separation or media.Separation(GIVEN, "", "")
    return [
        StemOrigin(
            *(stem.name, by.engine, by.model, by.version),
            sketch=by.sketch,
            preview=by.preview is not None,
        )
        for stem in sound.stems
        if stem.name != media.WHOLE
    ]


def is_bundle_name(name: str) -> bool:
    """Return whether a folder of this name is a bundle, and not a part being written."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def _gain_db(analysis: Analysis, default: float) -> float:
    """Return the gain to the target loudness, with the peak below the ceiling."""
    if analysis.lufs is None or not math.isfinite(analysis.lufs):
        return default
    gain = min(LOUDNESS_LUFS - analysis.lufs, MAX_GAIN_DB)
    if gain > 0.0 and analysis.peak_dbtp is not None:
        gain = max(0.0, min(gain, CEILING_DBTP - analysis.peak_dbtp))
    return round(max(gain, media.GAINS[0]), 2)


def played_lufs(analysis: Analysis | None) -> float | None:
    """Return the loudness of a track with its gain, as a deck plays it; None: not known."""
    if analysis is None or analysis.lufs is None or not math.isfinite(analysis.lufs):
        return None
    return round(analysis.lufs + _gain_db(analysis, 0.0), 2)


def _media_cue(cue: Cue, sound: media.Track) -> media.Cue:
    """Return a cue in frames, clamped to the length of the sound."""
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
        on_load=cue.on_load,
    )


def _row_cue(cue: media.Cue, rate: int) -> Cue:
    return Cue(
        cue.position_frames / rate,
        cue.kind,
        end_s=None if cue.end_frames is None else cue.end_frames / rate,
        slot=cue.hot_cue,
        label=cue.label[: cue_rows.MAX_LABEL],
        color=cue.color,
        stem=cue.stem,
        by_hand=cue.by_hand,
        on_load=cue.on_load,
    )


def _media_sections(analysis: Analysis | None, sound: media.Track) -> tuple[media.Section, ...]:
    """Return the sections in frames, without those outside the sound."""
    if analysis is None:
        return ()
    found = []
    for part in analysis.sections:
        start = max(round(part.start_s * sound.rate), 0)
        end = min(round(part.end_s * sound.rate), sound.frames)
        if start < end:
            found.append(media.Section(start, end, part.label))
    return tuple(found)
