"""What an analysis found of a track, and which program separated its stems.

All of it can be computed again, so a transaction that is not durable will do. An analysis made
again replaces the one before, the automatic grid and the automatic cues; nothing by hand. All
functions take a connection that `Database` lent.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.audio.grid import Grid
from sfa_engine.audio.media import check_stem_names
from sfa_engine.library.cues import Cue, replace_automatic
from sfa_engine.library.database import Connection, change, row, rows
from sfa_engine.library.grids import set_grid
from sfa_engine.library.key import parse_key
from sfa_engine.library.tracks import get, settle


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a track's form, in seconds; its label is ``intro``, ``drop`` and so on."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found of a track.

    Parameters
    ----------
    version : str
        Of the analysis, so that old ones can be found and made again.
    bpm, confidence : float, optional
        Beats a minute; 0..1.
    variable : bool
        Whether the tempo changes.
    key : str, optional
        Any spelling.
    lufs, peak_dbtp : float, optional
        Loudness of the whole track; true peak.
    energy : float, optional
        0..1.
    sections : tuple of Section
    features : mapping
        Whatever else, of plain values.
    made_at : float
        Seconds since 1970; set when it is stored.
    """

    version: str
    bpm: float | None = None
    confidence: float | None = None
    variable: bool = False
    key: str | None = None
    lufs: float | None = None
    peak_dbtp: float | None = None
    energy: float | None = None
    sections: tuple[Section, ...] = ()
    features: Mapping[str, Any] = field(default_factory=dict)
    made_at: float = 0.0


@dataclass(frozen=True, slots=True)
class StemOrigin:
    """Which program made a stem.

    Parameters
    ----------
    name : str
        One of the desk's stem names.
    engine, model, version : str
        ``demucs``, ``htdemucs``, ``4.0.1``.
    preview : bool
        Whether only a part of the track was separated.
    sketch : bool
        Whether it was made in haste, until a better one comes.
    made_at : float
        Seconds since 1970; set when it is stored.
    """

    name: str
    engine: str
    model: str = ""
    version: str = ""
    preview: bool = False
    sketch: bool = False
    made_at: float = 0.0


async def store(
    connection: Connection,
    track_id: int,
    analysis: Analysis,
    *,
    grid: Grid | None = None,
    rate: int = 48_000,
    cues: Sequence[Cue] = (),
) -> None:
    """Store an analysis in place of the one before.

    Parameters
    ----------
    connection : Connection
    track_id : int
    analysis : Analysis
    grid : Grid, optional
        The automatic one, in frames at `rate` Hz; None: no beats were found.
    rate : int
    cues : sequence of Cue
        They replace the automatic ones; a slot that a person has used stays hers.
    """
    await get(connection, track_id)
    sections = [[part.start_s, part.end_s, part.label] for part in analysis.sections]
    features = zlib.compress(json.dumps(dict(analysis.features)).encode())
    await change(
        connection,
        "INSERT OR REPLACE INTO analyses (track_id, version, bpm, confidence, variable, key, lufs,"
        " peak_dbtp, energy, sections, features, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            track_id, analysis.version, analysis.bpm, analysis.confidence, analysis.variable,
            parse_key(analysis.key) if analysis.key else None, analysis.lufs, analysis.peak_dbtp,
            analysis.energy, json.dumps(sections), features, time.time(),
        ),
    )  # fmt: skip
    await change(
        connection, "DELETE FROM grids WHERE track_id = ? AND origin = 'automatic'", (track_id,)
    )
    if grid is not None:
        await set_grid(connection, track_id, grid, rate, by_hand=False)
    await replace_automatic(connection, track_id, cues)
    await settle(connection, track_id)


async def analysis_of(connection: Connection, track_id: int) -> Analysis | None:
    """Return the analysis of a track, or None."""
    found = await row(connection, "SELECT * FROM analyses WHERE track_id = ?", (track_id,))
    if found is None:
        return None
    values = dict(found)
    del values["track_id"]
    values["variable"] = bool(values["variable"])
    values["sections"] = tuple(Section(*part) for part in json.loads(values["sections"]))
    features = values["features"]
    values["features"] = json.loads(zlib.decompress(features)) if features else {}
    return Analysis(**values)


async def outdated(connection: Connection, version: str) -> list[int]:
    """Return the tracks with a bundle that have no analysis of this version."""
    found = await rows(
        connection,
        "SELECT tracks.id FROM tracks LEFT JOIN analyses ON analyses.track_id = tracks.id"
        " WHERE deleted_at IS NULL AND bundle IS NOT NULL AND analyses.version IS NOT ?"
        " ORDER BY tracks.id",
        (version,),
    )
    return [track["id"] for track in found]


async def set_stems(connection: Connection, track_id: int, stems: Sequence[StemOrigin]) -> None:
    """Store which stems a track has, in place of those before."""
    if stems:
        check_stem_names([stem.name for stem in stems])
    await change(connection, "DELETE FROM stems WHERE track_id = ?", (track_id,))
    await connection.executemany(
        "INSERT INTO stems (track_id, name, engine, model, version, preview, sketch, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (track_id, s.name, s.engine, s.model, s.version, s.preview, s.sketch, time.time())
            for s in stems
        ],
    )
    await settle(connection, track_id)


async def stems_of(connection: Connection, track_id: int) -> list[StemOrigin]:
    """Return the stems of a track by name."""
    found = await rows(
        connection,
        "SELECT name, engine, model, version, preview, sketch, made_at FROM stems"
        " WHERE track_id = ? ORDER BY name",
        (track_id,),
    )
    return [
        StemOrigin(**dict(stem) | {k: bool(stem[k]) for k in ("preview", "sketch")})
        for stem in found
    ]
