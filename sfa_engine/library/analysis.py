"""Stored analyses of tracks, and the origin of their stems.

All of it can be computed again, so a transaction that is not durable is enough. A new analysis
replaces the previous one, the automatic grid and the automatic cues; nothing made by hand. All
functions take a connection of `Database`.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.library.cues import Cue, replace_automatic
from sfa_engine.library.database import Connection, change, row, rows
from sfa_engine.library.grids import set_grid
from sfa_engine.library.tracks import get, settle
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import parse_key
from sfa_engine.track.media import RATE, check_stem_names


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a track's form, in seconds; its label is ``intro``, ``drop`` and so on."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """The result of an analysis.

    Parameters
    ----------
    version : str
        Of the analysis program.
    bpm, confidence : float, optional
        BPM; 0..1.
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
        Everything else, as plain values.
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

    @property
    def confidences(self) -> dict[str, float]:
        """Confidence of tempo, phase, bar and octave, 0..1; empty in older analyses."""
        known = self.features.get("confidences") or {}
        return {name: float(known[name]) for name in CONFIDENCES if name in known}

    @property
    def alternatives(self) -> list[Alternative]:
        """Other readings of the beats, best first; empty if the analysis is sure, or older."""
        found = self.features.get("alternatives") or []
        return [
            Alternative(str(each["change"]), float(each["bpm"]), float(each["score"]))
            for each in found
        ]

    def alternative(self, number: int) -> Alternative:
        """Return an alternative by its number from 1; Refused if there is none."""
        if not 1 <= number <= len(self.alternatives):
            most = (
                f"give 1 to {len(self.alternatives)}"
                if self.alternatives
                else "the analysis found none; correct the grid by its tempo, downbeat or a shift"
            )
            raise Refused(f"no alternative {number} to the grid", most)
        return self.alternatives[number - 1]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of a track's beats: a change of `correction.CHANGES`, its BPM and score."""

    change: str
    bpm: float
    score: float


CONFIDENCES = ("tempo", "phase", "bar", "octave")


@dataclass(frozen=True, slots=True)
class StemOrigin:
    """The program that made a stem.

    Parameters
    ----------
    name : str
        One of the desk's stem names.
    engine, model, version : str
        ``demucs``, ``htdemucs``, ``4.0.1``.
    sketch : bool
        Whether it is a quick one of low quality.
    preview : bool
        Whether only a part of the track was separated.
    made_at : float
        Seconds since 1970; set when it is stored.
    """

    name: str
    engine: str
    model: str = ""
    version: str = ""
    sketch: bool = False
    preview: bool = False
    made_at: float = 0.0


async def store(
    connection: Connection,
    track_id: int,
    analysis: Analysis,
    *,
    grid: Grid | None = None,
    rate: int = RATE,
    cues: Sequence[Cue] = (),
) -> None:
    """Store an analysis, replacing the previous one.

    Parameters
    ----------
    connection : Connection
    track_id : int
    analysis : Analysis
    grid : Grid, optional
        The automatic grid, in frames at `rate` Hz; None: no beats were found.
    rate : int
    cues : sequence of Cue
        They replace the automatic cues; hot cues of the user stay.
    """
    await get(connection, track_id)
    sections = [[s.start_s, s.end_s, s.label] for s in analysis.sections]
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


async def set_stems(connection: Connection, track_id: int, stems: Sequence[StemOrigin]) -> None:
    """Store the stems of a track, replacing the previous ones."""
    if stems:
        check_stem_names([stem.name for stem in stems])
    await change(connection, "DELETE FROM stems WHERE track_id = ?", (track_id,))
    await connection.executemany(
        "INSERT INTO stems (track_id, name, engine, model, version, sketch, preview, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (track_id, s.name, s.engine, s.model, s.version, s.sketch, s.preview, time.time())
            for s in stems
        ],
    )
    await settle(connection, track_id)


async def stems_of(connection: Connection, track_id: int) -> list[StemOrigin]:
    """Return the stems of a track by name."""
    found = await rows(
        connection,
        "SELECT name, engine, model, version, sketch, preview, made_at FROM stems"
        " WHERE track_id = ? ORDER BY name",
        (track_id,),
    )
    flags = ("sketch", "preview")
    return [StemOrigin(**dict(s) | {name: bool(s[name]) for name in flags}) for s in found]
