"""A track as plain values: what the JSON beside stems and of an analysis says. Pure."""

from __future__ import annotations

from typing import Any

from sfa_engine.interchange.record import GRID_RATE, Record
from sfa_engine.library.grids import TrackGrid


def described(track: Record) -> dict[str, Any]:
    """Return names, tempo, key, grid in seconds, cues, and what our own formats have besides."""
    about: dict[str, Any] = {
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "genre": track.genre,
        "year": track.year,
        "duration_s": track.duration_s,
        "bpm": track.bpm,
        "key": track.musical_key or None,
        "grid": None,
        "cues": [
            {
                "position_s": cue.position_s,
                "end_s": cue.end_s,
                "kind": cue.kind,
                "hot_cue": cue.slot,
                "label": cue.label,
                "color": cue.color or None,
                "stem": cue.stem,
                "by_hand": cue.by_hand,
            }
            for cue in track.cues
        ],
    }
    if track.grid is not None:
        grid = TrackGrid(track.grid, GRID_RATE, by_hand=True)
        about["first_downbeat_s"] = grid.first_downbeat_s
        about["grid"] = {
            "bpm": track.grid.bpm,
            "beats_per_bar": track.grid.beats_per_bar,
            "anchors": [
                {"time_s": anchor.frame / GRID_RATE, "beat": anchor.beat}
                for anchor in track.grid.anchors
            ],
        }
    return about | {name: value for name, value in track.extra.items() if name not in about}
