"""spotdl and yt-dlp: their paths, command lines and output. Starts neither.

Their own parsers check these command lines in the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sfa_engine.prep.download.failure import DownloadError
from sfa_engine.prep.download.request import DownloadRequest

SEARCHED = 5  # results, of which the first of the right length is used
PROGRESS = "sfa-progress"
RESULT = "sfa-result"
# A separate venv: spotdl pins old versions of rich, anyio, websockets and fastapi.
SPOTDL_VENV = Path(sys.prefix) / "spotdl"
INSTALL = {
    "spotdl": f"install it: {sys.executable} -m venv {SPOTDL_VENV}"
    f" && {SPOTDL_VENV}/bin/pip install spotdl",
    "yt-dlp": "install it: pip install yt-dlp",
}


@dataclass(frozen=True, slots=True)
class Line:
    """The content of one line of a tool's output.

    Parameters
    ----------
    share : float or None
        Of the work done, 0..1.
    facts : mapping of str to str
        Of the source: ``source_url``, ``title``, ``artist``.
    """

    share: float | None = None
    facts: Mapping[str, str] | None = None


class Tool(Protocol):
    """A program that downloads."""

    name: str
    success: frozenset[int]

    def takes(self, order: DownloadRequest) -> bool:
        """Return whether this tool can handle an order."""

    def arguments(self, order: DownloadRequest) -> list[str]:
        """Return its arguments; it writes into the working folder."""

    def parse(self, line: str) -> Line:
        """Parse a line of its output."""


class Spotdl:
    """spotdl 4: finds the recording of a Spotify track on other sites, by its metadata.

    Its status is 0 when it finds nothing: only the file counts.
    """

    name = "spotdl"
    success = frozenset({0})
    # messages of its SongTracker, with --simple-tui, and its shares of the work
    _STEPS: Mapping[str, float] = {
        "Searching for song": 0.25,
        "Getting audio meta": 0.40,
        "Downloading": 0.55,
        "Converting": 0.75,
        "Embedding metadata": 0.95,
        "Done": 1.0,
    }
    _DOWNLOADED = re.compile(r'Downloaded ".*": (https?://\S+)')

    def takes(self, order: DownloadRequest) -> bool:
        return order.of_spotify

    def arguments(self, order: DownloadRequest) -> list[str]:
        if order.quality == "best":
            sound = ["--format", "opus", "--bitrate", "disable"]
        else:
            sound = ["--format", "mp3", "--bitrate", order.quality]
        return [
            *("download", order.url),
            *sound,
            *("--output", "{artist} - {title}.{output-ext}"),
            *("--threads", "1"),
            *("--overwrite", "force"),
            *("--log-level", "INFO"),
            "--simple-tui",
            "--print-errors",
            "--lyrics",  # no provider: lyrics are not used
        ]

    def parse(self, line: str) -> Line:
        if found := self._DOWNLOADED.search(line):
            return Line(1.0, {"source_url": found[1]})
        return Line(self._STEPS.get(line.rpartition(": ")[2].strip()))


class YtDlp:
    """yt-dlp: an address of any supported site, or a search on YouTube."""

    name = "yt-dlp"
    success = frozenset({0, 101})  # 101: --max-downloads reached, as expected
    _PROGRESS = re.compile(rf"{PROGRESS} (\d+) (\S+) (\S+)")

    def takes(self, order: DownloadRequest) -> bool:
        return not order.of_spotify or bool(order.title)

    def arguments(self, order: DownloadRequest) -> list[str]:
        convert = ["--audio-format", "mp3", "--audio-quality", order.quality.upper()]
        progress = "%(progress.downloaded_bytes)s %(progress.total_bytes)s"
        progress += " %(progress.total_bytes_estimate)s"
        return [
            "--ignore-config",
            "--no-update",
            "--newline",
            "--progress",
            "--no-simulate",
            "--no-playlist",
            "--no-mtime",
            *("--color", "never"),
            *("--socket-timeout", "20"),
            *("--retries", "5"),
            *("--format", "bestaudio/best"),
            "--extract-audio",
            *([] if order.quality == "best" else convert),
            "--embed-metadata",
            *("--match-filters", _filter(order)),
            *("--max-downloads", "1"),
            *("--progress-template", f"download:{PROGRESS} {progress}"),
            *("--print", f"after_move:{RESULT} %(.{{webpage_url,title,artist,uploader}})j"),
            *("--output", "sound.%(ext)s"),
            "--",
            _source(order),
        ]

    def parse(self, line: str) -> Line:
        if found := self._PROGRESS.search(line):
            done, *totals = found.groups()
            for total in totals:
                if re.fullmatch(r"\d+(\.\d+)?", total) and float(total) > 0:
                    return Line(min(1.0, int(done) / float(total)))
            return Line()
        if line.startswith(RESULT):
            return Line(1.0, _facts(line.removeprefix(RESULT)))
        return Line()


TOOLS: tuple[Tool, ...] = (Spotdl(), YtDlp())


def found(tool: Tool, order: DownloadRequest) -> Path:
    """Return the path of a tool: from the order, beside this Python, or on PATH.

    Raises
    ------
    DownloadError
        It is not installed.
    """
    given = order.tools.get(tool.name)
    path = shutil.which(given or tool.name, path=None if given else search_path())
    if path is None:
        why = f'no program "{given}"' if given else f"{tool.name} is not installed"
        raise DownloadError("tool-missing", why, INSTALL[tool.name])
    return Path(path).absolute()


def is_installed(name: str) -> bool:
    """Return whether a tool is found by its name."""
    return shutil.which(name, path=search_path()) is not None


def search_path() -> str:
    """Return PATH, followed by the product's own folders of programs."""
    own = [str(Path(sys.executable).parent), str(SPOTDL_VENV / "bin")]
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *own])


def _source(order: DownloadRequest) -> str:
    if not order.of_spotify:
        return order.url
    return f"ytsearch{SEARCHED if order.span_s else 1}:{order.words}"


def _filter(order: DownloadRequest) -> str:
    """Return the filter of results: no endless broadcast; for a search, of the right length."""
    span_s = order.span_s
    if span_s is None or not order.of_spotify:
        return "!is_live"
    return f"!is_live & duration>={int(span_s[0])} & duration<={int(span_s[1]) + 1}"


def _facts(text: str) -> dict[str, str]:
    """Parse the JSON of a result; empty if it is invalid."""
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(given, dict):
        return {}
    artist = given.get("artist") or given.get("uploader")
    facts = {"source_url": given.get("webpage_url"), "title": given.get("title"), "artist": artist}
    return {name: " ".join(v.split())[:500] for name, v in facts.items() if isinstance(v, str)}
