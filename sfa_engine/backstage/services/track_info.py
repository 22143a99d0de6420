"""Metadata of a track to download, parsed from Spotify's JSON.

Pure. Field names are those of the Web API since March 2026: a playlist's entries have ``item``;
``track`` is what it was called before, and still is for applications with an extended quota.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sfa_engine.backstage.services.spotify_link import SpotifyLink

_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}")
_YEAR = re.compile(r"\d{4}")
NO_TITLE = "(no title)"
GONE = "no longer at Spotify"


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """A track, as a service describes it.

    Parameters
    ----------
    title : str
        Of the track.
    artists : tuple of str
        At least one.
    album : str
        Empty if unknown.
    duration_s : float or None
        Seconds.
    isrc : str or None
        International Standard Recording Code; the tracks of an album come without.
    url : str
        Its page.
    cover_url : str or None
        The largest picture.
    track_number : int or None
        On its disc.
    year : int or None
        Of the album's release.
    """

    title: str
    artists: tuple[str, ...]
    album: str
    duration_s: float | None
    isrc: str | None
    url: str
    cover_url: str | None
    track_number: int | None
    year: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry of a list that cannot be downloaded.

    Parameters
    ----------
    title : str
        As in the list.
    why : str
        The reason.
    """

    title: str
    why: str


def parse_track(
    track: Mapping[str, Any], album: Mapping[str, Any] | None = None
) -> TrackInfo | Skipped:
    """Parse a track object; the tracks of an album come without it, so it is an argument.

    Deleted tracks stay in lists without title, artist or id.
    """
    album = _object(track.get("album")) if album is None else album
    title = text_of(track.get("name"))
    artists = tuple(
        name
        for artist in _list(track.get("artists"))
        if (name := text_of(_object(artist).get("name")))
    )
    identity = text_of(track.get("id"))
    if not title or not artists or not identity:
        return Skipped(title or NO_TITLE, GONE)
    length_ms = _number(track.get("duration_ms"))
    isrc = text_of(_object(track.get("external_ids")).get("isrc")).upper().replace("-", "")
    pictures = [_object(picture) for picture in _list(album.get("images"))]
    largest = max(pictures, key=lambda picture: _number(picture.get("width")) or 0, default={})
    number = _number(track.get("track_number"))
    year = _YEAR.match(text_of(album.get("release_date")))
    return TrackInfo(
        title=title,
        artists=artists,
        album=text_of(album.get("name")),
        duration_s=length_ms / 1000 if length_ms else None,
        isrc=isrc if _ISRC.fullmatch(isrc) else None,
        url=SpotifyLink("track", identity).url,
        cover_url=text_of(largest.get("url")) or None,
        track_number=int(number) if number else None,
        year=int(year[0]) if year and year[0] != "0000" else None,
    )


def parse_entry(entry: Any) -> TrackInfo | Skipped:
    """Parse one entry of a playlist's page."""
    entry = _object(entry)
    item = _object(entry.get("item") or entry.get("track"))
    title = text_of(item.get("name")) or NO_TITLE
    if not item:
        return Skipped(title, GONE)
    if entry.get("is_local") or item.get("is_local"):
        return Skipped(title, "a local file of the playlist's owner")
    if item.get("type", "track") != "track":
        return Skipped(title, f"{text_of(item.get('type')) or 'something'}, not music")
    return parse_available(item)


def parse_available(
    track: Mapping[str, Any], album: Mapping[str, Any] | None = None
) -> TrackInfo | Skipped:
    """Parse a track object that may not be available in the user's country."""
    if track.get("is_playable") is False:
        reason = text_of(_object(track.get("restrictions")).get("reason"))
        where = {"market": " in this country", "explicit": ": explicit"}.get(reason, "")
        return Skipped(text_of(track.get("name")) or NO_TITLE, f"not available{where}")
    return parse_track(track, album)


def text_of(value: Any) -> str:
    """Return a text on one line, valid in UTF-8; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return " ".join(value.split())[:500].encode("utf-8", "replace").decode()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """Return a plausible number of milliseconds, pixels or tracks, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return value
