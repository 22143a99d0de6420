"""Set lists as text: each track with the time at which it begins, its tempo and its key. Pure."""

from __future__ import annotations

from pathlib import Path

from sfa_engine.interchange.record import Collection, Loss, Record
from sfa_engine.interchange.texts import write_text
from sfa_engine.library.tags import in_one_line


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write the collection's first list, else all its tracks, one after another.

    A track whose length is unknown takes no time, which is a loss.
    """
    tracks = {track.key: track for track in collection.tracks}
    lists = collection.playlists
    keys = lists[0].keys if lists else tuple(tracks)
    losses = [Loss(each.name, "playlist", "a set list has one playlist") for each in lists[1:]]
    lines = [in_one_line(lists[0].name), ""] if lists else []
    at_s = 0.0
    for key in keys:
        track = tracks.get(key)
        if track is None:
            continue
        lines.append(f"{_clock(at_s)}  {in_one_line(track.name)}{_about(track)}")
        if track.duration_s is None:
            losses.append(Loss(track.name, "time", "its length is not known"))
        at_s += track.duration_s or 0.0
    lines.append(f"{_clock(at_s)}  end")
    write_text(path, "\n".join(lines) + "\n")
    return losses


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def _about(track: Record) -> str:
    parts = [f"{track.bpm:.1f} BPM"] if track.bpm else []
    parts += [track.musical_key] if track.musical_key else []
    return f"  ({', '.join(parts)})" if parts else ""
