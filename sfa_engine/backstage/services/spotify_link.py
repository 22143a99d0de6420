"""Parses Spotify addresses and URIs. Pure.

::

    https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC?si=…      track
    https://open.spotify.com/intl-de/album/…                        album
    https://open.spotify.com/user/NAME/playlist/…                   playlist, as it was until 2018
    spotify:playlist:37i9dQZF1DXcBWIGoYBM5M                         playlist
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sfa_engine.errors import Refused

KINDS = ("track", "album", "playlist")
HOSTS = {"open.spotify.com", "play.spotify.com"}
SHORT_HOSTS = {"spotify.link", "spotify.app.link"}  # redirect through a tracker
MAX_LINK = 2048
_ID = re.compile(r"[0-9A-Za-z]{22}")  # base 62
_INTL = re.compile(r"intl-[a-z-]{2,8}", re.IGNORECASE)
_HINT = "give a link to a track, an album or a playlist: https://open.spotify.com/track/…"


@dataclass(frozen=True, slots=True)
class SpotifyLink:
    """A track, an album or a playlist at Spotify.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    id : str
        22 characters of base 62.
    """

    kind: str
    id: str

    @property
    def url(self) -> str:
        """Its address, without tracking parameters."""
        return f"https://open.spotify.com/{self.kind}/{self.id}"

    def __str__(self) -> str:
        return self.url


def is_spotify(text: str) -> bool:
    """Return whether a text is meant for Spotify, valid or not."""
    if text[:8].lower() == "spotify:":
        return True
    try:
        address = urlsplit(text)
        return address.scheme in {"http", "https"} and address.hostname in HOSTS | SHORT_HOSTS
    except ValueError:
        return False


def parse_link(text: str) -> SpotifyLink:
    """Parse an address or a URI.

    Raises
    ------
    Refused
        It is not one of Spotify's, or not of a track, album or playlist.
    """
    shown = text if len(text) <= 100 else text[:97] + "…"
    if len(text) > MAX_LINK or not is_spotify(text):
        raise Refused(f'"{shown}" is not a Spotify link', _HINT)
    if text[:8].lower() == "spotify:":
        parts = text.split(":")[1:]
    else:
        address = urlsplit(text)
        if address.hostname in SHORT_HOSTS:
            raise Refused(
                f'"{shown}" is a short link',
                "open it in a browser and copy the address it leads to",
            )
        parts = [unquote(part) for part in address.path.split("/") if part]
        if parts and _INTL.fullmatch(parts[0]):
            del parts[0]
        if parts and parts[0] == "embed":
            del parts[0]
    if len(parts) == 4 and parts[0] == "user":
        del parts[:2]
    if len(parts) != 2 or parts[0].lower() not in KINDS:
        kind = parts[0].lower() if parts else "nothing"
        raise Refused(f'"{shown}" is not a track, album or playlist, but {kind!r:.20}', _HINT)
    if not _ID.fullmatch(parts[1]):
        raise Refused(f'"{shown}": invalid id {parts[1]!r:.40}', "an id has 22 letters and digits")
    return SpotifyLink(parts[0].lower(), parts[1])
