"""Download one piece of music: tool after tool, until a file is valid and of the right length.

::

    spotdl ──no file, or not the right one──► yt-dlp ──► error of the last
       └────────── file ─────────────────────────┴─────► checked ──► renamed to its final name
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError
from sfa_engine.prep.decode import decode_blocks
from sfa_engine.prep.download.failure import PASSING, DownloadError, why
from sfa_engine.prep.download.request import DownloadRequest, parse_request
from sfa_engine.prep.download.running import Running, adopt_orphans
from sfa_engine.prep.download.shelf import part_folder, put
from sfa_engine.prep.download.tool import TOOLS, Tool, found, search_path
from sfa_engine.prep.worker import Progress
from sfa_engine.system.sound_files import SOUND_FILES

LINES_KEPT = 200  # of a tool's output, to find the reason of a failure
VERSION_S = 60.0  # spotdl takes some seconds on a Pi
FETCHED_SHARE = 0.9  # of the work; the rest is decoding
WIDE = "4096"  # columns: output for a narrower terminal would break its lines
_HOPELESS = frozenset({"disk-full", "ffmpeg-missing"})  # with any tool


@dataclass
class Catch:
    """A file that a tool made, and its metadata."""

    path: Path
    facts: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def fetch(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Execute a request; see docs/importing.md.

    For a separate process: a tool's leftovers are killed with all children of the process.

    Parameters
    ----------
    request : mapping
        ``url``, ``out``, and optionally ``expected``, ``quality``, ``tools``, ``attempts``,
        ``stall_s``: see `DownloadRequest`.
    progress : callable
        Called with the share done.

    Returns
    -------
    dict
        ``path``, ``tool``, ``version``, ``bitrate`` (the mean, as "256k"), ``source_url``,
        ``title``, ``artist``.

    Raises
    ------
    Refused
        The request is invalid.
    DownloadError
        The download failed; its code is the reason.
    """
    order = parse_request(request)
    adopt_orphans()
    failures: list[DownloadError] = []
    with part_folder(order.out) as part:
        for tool in TOOLS:
            if not tool.takes(order):
                continue
            try:
                return _fetched(tool, order, part, progress)
            except DownloadError as failure:
                failures.append(failure)
                if failure.code in _HOPELESS:
                    break
    raise _summary(order, failures)


def _fetched(tool: Tool, order: DownloadRequest, part: Path, progress: Progress) -> dict[str, Any]:
    """Fetch with one tool, and move the file to its final name."""
    program = found(tool, order)
    for attempt in range(1, order.attempts + 1):
        folder = part / f"{tool.name}-{attempt}"
        folder.mkdir()
        try:
            catch = _run(tool, program, order, folder, progress)
            break
        except DownloadError as failure:
            if failure.code not in PASSING or attempt == order.attempts:
                raise
    _check(tool, order, catch, progress)
    title = order.title or catch.facts.get("title", "")
    artist = ", ".join(order.artists) or catch.facts.get("artist", "")
    bitrate = catch.path.stat().st_size * 8 / catch.seconds / 1000
    version = _version(program)
    return {
        "path": str(put(catch.path, order.out, f"{artist} - {title}")),
        "tool": tool.name,
        "version": version,
        "bitrate": f"{bitrate:.0f}k",
        "source_url": catch.facts.get("source_url", order.url),
        "title": title,
        "artist": artist,
    }


def _run(
    tool: Tool, program: Path, order: DownloadRequest, folder: Path, progress: Progress
) -> Catch:
    """Run a tool; return the file that it made."""
    kept: deque[str] = deque(maxlen=LINES_KEPT)
    facts: dict[str, str] = {}
    progress(0.0, f"starting {tool.name}")
    command = [str(program), *tool.arguments(order)]
    with Running(command, folder, _environment(), order.stall_s) as running:
        for line in running.lines():
            parsed = tool.parse(line)
            facts.update(parsed.facts or {})
            if parsed.share is None:
                kept.append(line)
                print(line, file=sys.stderr)
            else:
                progress(FETCHED_SHARE * parsed.share, "downloading")
        status = running.status
    path = _made(folder)
    if path is None or status not in tool.success:
        failure = why(tool.name, list(kept), shutil.disk_usage(folder).free)
        if failure.code == "no-result" and status not in tool.success and not kept:
            raise DownloadError(
                "download",
                f"{tool.name} ended without output: status {status}",
                "see `sfa log backstage`",
            )
        raise failure
    return Catch(path, facts)


def _check(tool: Tool, order: DownloadRequest, catch: Catch, progress: Progress) -> None:
    """Decode the whole file: it must be audio, complete, and of about the requested length."""

    def share(part: float) -> None:
        progress(FETCHED_SHARE + (1 - FETCHED_SHARE) * part, "checking")

    decoding = decode_blocks(catch.path, progress=share)
    try:
        for _ in decoding:
            pass
    except MediaError as problem:
        raise DownloadError(
            "unsound", f"the file of {tool.name} is not audio: {problem.message}", problem.hint
        ) from problem
    catch.seconds = decoding.frames / decoding.rate
    if decoding.truncated:
        raise DownloadError(
            "unsound", f"the file of {tool.name} is damaged or ends early", "try again"
        )
    if order.span_s and not order.span_s[0] <= catch.seconds <= order.span_s[1]:
        raise DownloadError(
            "wrong-length",
            f"the file of {tool.name} is {catch.seconds:.0f} s long, not {order.duration_s:.0f} s",
            "it is another recording; give a link to the right one",
        )
    catch.facts.setdefault("title", decoding.title)
    catch.facts.setdefault("artist", decoding.artist)


def _made(folder: Path) -> Path | None:
    """Return the largest complete sound file in a folder."""
    made = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SOUND_FILES
        and not {".part", ".temp", ".ytdl"}.intersection(path.suffixes)
        and path.is_file()
    ]
    return max(made, key=lambda path: path.stat().st_size, default=None)


def _environment() -> dict[str, str]:
    """Return the tools' environment: this process's, without its Python path and without colour."""
    ours = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    return ours | {
        "PATH": search_path(),
        "COLUMNS": WIDE,
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
    }


def _version(program: Path) -> str:
    """Return a tool's version; empty if it has none."""
    try:
        process = subprocess.run(
            [program, "--version"],
            capture_output=True,
            env=_environment(),
            encoding="utf-8",
            errors="replace",
            timeout=VERSION_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (process.stdout.split() or [""])[-1][:40]


def _summary(order: DownloadRequest, failures: list[DownloadError]) -> DownloadError:
    """Return one error for all failures, with code and hint of the last tool that ran."""
    if not failures:
        return DownloadError(
            "no-result", f"no title to search for: {order.url}", "give expected.title and artists"
        )
    ran = [failure for failure in failures if failure.code != "tool-missing"]
    last = (ran or failures)[-1]
    hint = last.hint if ran else "; ".join(dict.fromkeys(failure.hint for failure in failures))
    message = "; ".join(dict.fromkeys(failure.message for failure in failures))
    return DownloadError(last.code, message, hint)
