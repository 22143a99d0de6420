"""What is asked of the worker, checked before anything is started. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sfa_engine.errors import Refused
from sfa_engine.prep.worker import field

QUALITIES = ("best", "128k", "192k", "256k", "320k")
TOOLS = ("spotdl", "yt-dlp")
MOST_ATTEMPTS = 5
STALL_S = 180.0  # without a word from a tool: its own time limits are shorter
SLACK_S, SLACK_SHARE = 5.0, 0.10  # of the length: the larger counts
_TRACK = re.compile(r"https?://open\.spotify\.com/track/[0-9A-Za-z]{22}")


@dataclass(frozen=True, slots=True)
class Order:
    """One piece of music to fetch.

    Parameters
    ----------
    url : str
        A Spotify track, or any http(s) address.
    out : Path
        The folder where the file goes.
    quality : str
        ``best``: as the site has it, not encoded again. Else an MP3 of that rate.
    title : str
        Empty if unknown.
    artists : tuple of str
        May be empty.
    duration_s : float or None
        Seconds; None if unknown.
    tools : mapping of str to str
        Paths of tools that are not on PATH.
    attempts : int
        How often each tool is tried while its failure may pass.
    stall_s : float
        Seconds without a word after which a tool is ended.
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
        """Whether it is Spotify's track: spotdl's business, then a search."""
        return _TRACK.fullmatch(self.url) is not None

    @property
    def words(self) -> str:
        """What to search for."""
        return " ".join(f"{', '.join(self.artists)} - {self.title}".split()).strip(" -")

    @property
    def span_s(self) -> tuple[float, float] | None:
        """The shortest and the longest that will do, where the length is known."""
        if self.duration_s is None:
            return None
        slack_s = max(SLACK_S, SLACK_SHARE * self.duration_s)
        return max(0.0, self.duration_s - slack_s), self.duration_s + slack_s


def order_of(request: Mapping[str, Any]) -> Order:
    """Read a request.

    Raises
    ------
    Refused
        If a value is missing or cannot be.
    """
    wanted: dict[str, Any] = field(request, "wanted", dict, {})
    artists: list[Any] = field(wanted, "artists", list, [])
    tools: dict[str, Any] = field(request, "tools", dict, {})
    unknown = set(tools) - set(TOOLS)
    if unknown:
        raise Refused(f"no tool {min(unknown)!r}", f"there are {' and '.join(TOOLS)}")
    order = Order(
        url=_address(field(request, "url", str)),
        out=Path(field(request, "out", str)).absolute(),
        quality=field(request, "quality", str, "320k"),
        title=field(wanted, "title", str, ""),
        artists=tuple(field({"artist": artist}, "artist", str) for artist in artists),
        duration_s=None,
        tools={name: field(tools, name, str) for name in tools},
        attempts=field(request, "attempts", int, 1),
        stall_s=field(request, "stall_s", float, STALL_S),
    )
    if order.quality not in QUALITIES:
        raise Refused(f'no quality "{order.quality}"', f"there are {', '.join(QUALITIES)}")
    if not 1 <= order.attempts <= MOST_ATTEMPTS:
        raise Refused(f"attempts is {order.attempts}", f"give 1..{MOST_ATTEMPTS}")
    if not 0 < order.stall_s < 1e6:
        raise Refused(f"stall_s is {order.stall_s}", "give seconds above 0")
    if wanted.get("duration_s") is None:
        return order
    duration_s = field(wanted, "duration_s", float)
    if not 0 < duration_s < 1e6:
        raise Refused(f"duration_s is {duration_s}", "give seconds above 0, or null")
    return _with_duration(order, duration_s)


def _with_duration(order: Order, duration_s: float) -> Order:
    values = {name: getattr(order, name) for name in Order.__slots__}
    return Order(**(values | {"duration_s": duration_s}))


def _address(url: str) -> str:
    """Return an address that a downloader may be given."""
    try:
        address = urlsplit(url)
        good = address.scheme in {"http", "https"} and address.hostname
    except ValueError:
        good = False
    if not good or any(ord(character) <= 32 for character in url):
        raise Refused(
            f'"{url[:100]}" is no http(s) address', "give one as https://example.com/song"
        )
    return url
