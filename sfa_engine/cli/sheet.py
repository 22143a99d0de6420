"""All that is known of a track, line by line, as `sfa library show` prints it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sfa_engine.cli.count import counted
from sfa_engine.clock import clock
from sfa_engine.library.color import color_name

MOST_STARS = 5
SURE = 0.5  # confidence from which on nobody need look at a grid


def sheet(track: dict[str, Any]) -> Iterator[str]:
    """Tell of a track, as ``library.show`` answers it.

    Parameters
    ----------
    track : dict

    Yields
    ------
    str
        A line.
    """
    yield track["name"]
    if track.get("damage"):
        yield f"  damaged: {track['damage']}; prepare it again"
    if track.get("state", "ready") != "ready":
        because = f": {track['problem']}" if track["problem"] else ""
        yield f"  {track['state']}{because}"
    if said := _collected(track):
        yield f"  {said}"
    if track["grid"]:
        yield f"  {_grid(track)}"
    if track["key"]:
        yield f"  {track['key']} ({track['camelot']})"
    if track["lufs"] is not None:
        energy = "" if track["energy"] is None else f", energy {track['energy']:.2f}"
        yield f"  {track['lufs']:.1f} LUFS{energy}"
    for stem in track["origins"]:
        yield f"  stem {stem['name']}: {_origin(stem)}"
    for section in track.get("sections", []):
        yield f"  {clock(section['start_s']):>8}  {section['label']}"
    for cue in track["cues"]:
        button = f" [{cue['slot']}]" if cue["slot"] else ""
        until = f" to {clock(cue['end_s'])}" if cue["end_s"] else ""
        yield f"  {clock(cue['position_s']):>8}{until}  cue {cue['id']}{button}: {cue_words(cue)}"
    for note in track.get("notes", []):
        yield f"  {note}"
    for source in track["sources"]:
        yield f"  from {source}"


def cue_words(cue: dict[str, Any]) -> str:
    """Return what a cue is, nothing said twice: ``loop of bass, 16 bars``, ``intro end``."""
    kind, label, stem = cue["kind"], cue["label"], cue["stem"]
    if stem:
        kind = f"{kind} of {stem}"
        label = _without(label, stem)
    said = [label] if _begins(label, kind) else [kind, label]
    return ", ".join(filter(None, [*said, "by hand" if cue["by_hand"] else ""]))


def _begins(text: str, word: str) -> bool:
    """Return whether a word, whole, is what a text begins with."""
    return f"{text} ".casefold().startswith(f"{word} ".casefold())


def _without(text: str, word: str) -> str:
    """Return a text without the word that it begins with."""
    return text[len(word) :].strip() if _begins(text, word) else text


def _collected(track: dict[str, Any]) -> str:
    """Return stars, colour, plays and comment of a track, as far as it has them."""
    said = []
    if stars := track.get("rating", 0):
        said.append("★" * stars + "☆" * (MOST_STARS - stars))
    if color := track.get("color", ""):
        said.append(color_name(color))
    if plays := track.get("play_count", 0):
        last = datetime.fromtimestamp(track["played_at"]).astimezone()
        said.append(f"played {counted(plays, 'time')}, last on {last:%Y-%m-%d at %H:%M}")
    if comment := track.get("comment", ""):
        said.append(f'"{comment}"')
    return ", ".join(said)


def _grid(track: dict[str, Any]) -> str:
    grid, sure = track["grid"], track.get("confidence")
    how = "by hand" if grid["by_hand"] else "analysed"
    doubt = "; check the grid" if sure is not None and sure < SURE and not grid["by_hand"] else ""
    varies = ", varies" if track.get("variable") else ""
    return f"{grid['bpm']:.3f} BPM{varies} ({how}{doubt}), {grid['beats_per_bar']} a bar"


def _origin(stem: dict[str, Any]) -> str:
    """Return what made a stem, and that it is a sketch if its engine's name does not say so."""
    made = [word for word in dict.fromkeys([stem["engine"], stem["model"]]) if word]
    sketch = ", a sketch" if stem["sketch"] and "sketch" not in made else ""
    return " ".join(made) + sketch
