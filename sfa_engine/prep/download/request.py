"""Parse and validate the request of the download worker. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sfa_engine.errors import Refused
from sfa_engine.prep.options import QUALITIES
from sfa_engine.prep.worker import field

TOOLS = ("spotdl", "yt-dlp")
MAX_ATTEMPTS = 5
STALL_S = 180.0  # without output from a tool: its own timeouts are shorter
SLACK_S, SLACK_SHARE = 5.0, 0.10  # of the length: the larger counts
_TRACK = re.compile(r"https?://open\.spotify\.com/track/[0-9A-Za-z]{22}")


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """A track to download.

    Parameters
    ----------
    url : str
        A Spotify track, or any http(s) address.
    out : Path
        The folder of the file.
    quality : str
        ``best``: the site's format, not re-encoded. Else an MP3 of that rate.
    title : str
        Empty if unknown.
    artists : tuple of str
        May be empty.
    duration_s : float or None
        Seconds; None if unknown.
    tools : mapping of str to str
        Paths of tools that are not on PATH.
    attempts : int
        Of each tool while its failure may pass.
    stall_s : float
        Seconds without output after which a tool is ended.
    """

    url: str
    out: Path
    quality: str
    title: str
    artists: tuple[str, ...]
    duration_s: float | None
    tools: Mapping[str, str]
    attempts: int
    stall_s: float

    @property
    def of_spotify(self) -> bool:
        """Whether it is a Spotify track: for spotdl, then for a search."""
        return _TRACK.fullmatch(self.url) is not None

    @property
    def words(self) -> str:
        """The search terms."""
        return " ".join(f"{', '.join(self.artists)} - {self.title}".split()).strip(" -")

    @property
    def span_s(self) -> tuple[float, float] | None:
        """The shortest and the longest accepted length, if known."""
        if self.duration_s is None:
            return None
        slack_s = max(SLACK_S, SLACK_SHARE * self.duration_s)
        return max(0.0, self.duration_s - slack_s), self.duration_s + slack_s


def parse_request(request: Mapping[str, Any]) -> DownloadRequest:
    """Read a request.

    Raises
    ------
    Refused
        A value is missing or invalid.
    """
    expected: dict[str, Any] = field(request, "expected", dict, {})
    artists: list[Any] = field(expected, "artists", list, [])
    tools: dict[str, Any] = field(request, "tools", dict, {})
    unknown = set(tools) - set(TOOLS)
    if unknown:
        raise Refused(f"no tool {min(unknown)!r}", f"there are {' and '.join(TOOLS)}")
    parsed = DownloadRequest(
        url=_address(field(request, "url", str)),
        out=Path(field(request, "out", str)).absolute(),
        quality=field(request, "quality", str, "320k"),
        title=field(expected, "title", str, ""),
        artists=tuple(field({"artist": artist}, "artist", str) for artist in artists),
        duration_s=None,
        tools={name: field(tools, name, str) for name in tools},
        attempts=field(request, "attempts", int, 1),
        stall_s=field(request, "stall_s", float, STALL_S),
    )
    if parsed.quality not in QUALITIES:
        raise Refused(f'no quality "{parsed.quality}"', f"there are {', '.join(QUALITIES)}")
    if not 1 <= parsed.attempts <= MAX_ATTEMPTS:
        raise Refused(f"attempts is {parsed.attempts}", f"give 1..{MAX_ATTEMPTS}")
    if not 0 < parsed.stall_s < 1e6:
        raise Refused(f"stall_s is {parsed.stall_s}", "give seconds above 0")
    if expected.get("duration_s") is None:
        return parsed
    duration_s = field(expected, "duration_s", float)
    if not 0 < duration_s < 1e6:
        raise Refused(f"duration_s is {duration_s}", "give seconds above 0, or null")
    return _with_duration(parsed, duration_s)


def _with_duration(parsed: DownloadRequest, duration_s: float) -> DownloadRequest:
    values = {name: getattr(parsed, name) for name in DownloadRequest.__slots__}
    return DownloadRequest(**(values | {"duration_s": duration_s}))


def _address(url: str) -> str:
    """Return an address that a downloader may be given."""
    try:
        address = urlsplit(url)
        good = address.scheme in {"http", "https"} and address.hostname
    except ValueError:
        good = False
    if not good or any(ord(character) <= 32 for character in url):
        raise Refused(
            f'"{url[:100]}" is not an http(s) address', "give one as https://example.com/song"
        )
    return url
