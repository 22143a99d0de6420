"""Everything about a track, line by line, as `sfa library show` prints it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sfa_engine.cli.grid_details import tempo_words
from sfa_engine.cli.plural import counted
from sfa_engine.library.color import color_name
from sfa_engine.system.timecode import clock

MAX_STARS = 5


def details(track: dict[str, Any]) -> Iterator[str]:
    """Describe a track, as ``library.show`` returns it.

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
        yield f"  {tempo_words(track)}"
    if track["key"]:
        yield f"  {track['key']} ({track['camelot']})"
    if track["lufs"] is not None:
        energy = "" if track["energy"] is None else f", energy {track['energy']:.2f}"
        yield f"  {track['lufs']:.1f} LUFS{energy}"
    if tags := track.get("sound_tags"):
        yield f"  sounds like {', '.join(map(_tag_words, tags))}"
    if track.get("preview_s"):
        start, end = (clock(place_s) for place_s in track["preview_s"])
        yield f"  a preview: only {start} to {end} is separated"
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
    if track.get("cover_path"):
        yield f"  cover {track['cover_path']}"
    for source in track["sources"]:
        yield f"  from {source}"


def cue_words(cue: dict[str, Any]) -> str:
    """Describe a cue without repetition: ``loop of bass, 16 bars``, ``intro end``."""
    kind, label, stem = cue["kind"], cue["label"], cue["stem"]
    if stem:
        kind = f"{kind} of {stem}"
        label = _without(label, stem)
    said = [label] if _begins(label, kind) else [kind, label]
    said += [cue.get("color", ""), "on load" if cue.get("on_load") else ""]
    return ", ".join(filter(None, [*said, "by hand" if cue["by_hand"] else ""]))


def _begins(text: str, word: str) -> bool:
    """Return whether a text begins with a whole word."""
    return f"{text} ".casefold().startswith(f"{word} ".casefold())


def _without(text: str, word: str) -> str:
    """Return a text without the word that it begins with."""
    return text[len(word) :].strip() if _begins(text, word) else text


def _collected(track: dict[str, Any]) -> str:
    """Return a track's rating, colour, plays and comment, as far as it has them."""
    said = []
    if stars := track.get("rating", 0):
        said.append("★" * stars + "☆" * (MAX_STARS - stars))
    if color := track.get("color", ""):
        said.append(color_name(color))
    if plays := track.get("play_count", 0):
        last = datetime.fromtimestamp(track["played_at"]).astimezone()
        said.append(f"played {counted(plays, 'time')}, last on {last:%Y-%m-%d at %H:%M}")
    if comment := track.get("comment", ""):
        said.append(f'"{comment}"')
    return ", ".join(said)


def _tag_words(tag: dict[str, Any]) -> str:
    """Return a tag and its probability: ``techno .91``."""
    return f"{tag['name']} {tag['probability']:.2f}".replace(" 0.", " .")


def _origin(stem: dict[str, Any]) -> str:
    """Return a stem's engine and model, and that it is a sketch unless the name says so."""
    made = [word for word in dict.fromkeys([stem["engine"], stem["model"]]) if word]
    sketch = ", a sketch" if stem["sketch"] and "sketch" not in made else ""
    return " ".join(made) + sketch
