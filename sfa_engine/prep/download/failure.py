"""The reason of a failed download, from the output of spotdl and yt-dlp. Pure.

Their messages change between versions; an unknown one is reported as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sfa_engine.errors import SfaError

MIN_FREE_BYTES = 16 << 20  # with less, the reason of a failure is the disk
PASSING = frozenset({"network", "rate-limited", "stalled"})  # a retry may succeed
LONGEST = 300  # characters of a tool's own words


class DownloadError(SfaError):
    """A download failed.

    Parameters
    ----------
    code : str
        One of `KINDS`, or ``tool-missing``, ``stalled``, ``unsound``, ``wrong-length``, or
        ``download`` if unknown. Those in `PASSING` may pass by themselves.
    message, hint : str
        As in every `SfaError`.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class Kind:
    """A reason, and how it is recognised.

    Parameters
    ----------
    words : str
        A regular expression; case is ignored.
    sentence, hint : str
        Of the error.
    """

    words: str
    sentence: str
    hint: str


# In the order of tests: the first match counts.
KINDS: dict[str, Kind] = {
    "disk-full": Kind(
        r"no space left on device|errno 28\b|disk quota exceeded",
        "the disk is full",
        "free some space, or give another folder",
    ),
    "ffmpeg-missing": Kind(
        r"ffprobe and ffmpeg not found|ffmpeg (is )?not (installed|found)",
        "ffmpeg is missing",
        "install it: sudo apt-get install ffmpeg",
    ),
    "drm": Kind(
        r"\bdrm\b",
        "it is protected against copying (DRM)",
        "take it from somewhere else: DRM is not broken here",
    ),
    "geo-blocked": Kind(
        r"geo.?restrict|not available (in|from) your (country|location|region)"
        r"|available in your country|blocked it in your country",
        "it is not available in your country",
        "take it from somewhere else",
    ),
    "rate-limited": Kind(
        r"http error 429|too many requests|not a bot|rate.?limit",
        "the site limits the number of requests",
        "wait an hour, then try again",
    ),
    "login-needed": Kind(
        r"private video|sign in|log ?in (is )?required|members.only|this video is private",
        "the site shows it only to those who log in",
        "take it from somewhere else",
    ),
    "network": Kind(
        r"(failed to|could not) resolve|name or service not known|failure in name resolution"
        r"|nameresolutionerror|getaddrinfo|network is unreachable|no route to host"
        r"|connection (refused|reset|aborted|error)|remotedisconnected|timed? ?out|incompleteread"
        r"|remote end closed|http error 5\d\d",
        "the site cannot be reached",
        "is the network on? try again",
    ),
    "no-result": Kind(
        r"no results found|lookuperror|no video results|http error 4(04|10)|video unavailable"
        r"|no longer (available|exists)|unsupported url|requested format is not available"
        r"|resource not found",
        "nothing was found",
        "check the link, or give another",
    ),
    "refused": Kind(
        r"http error 40[013]",
        "the site refuses",
        "a newer version often helps: pip install --upgrade yt-dlp spotdl",
    ),
}

_ERROR = re.compile(r"^(?:ERROR:\s*|\w*(?:Error|Exception|Exit)\b:\s*)", re.MULTILINE)
_SONG = re.compile(r"(No results found for song): .*")  # whose name may be anything


def why(tool: str, lines: Sequence[str], free_bytes: int) -> DownloadError:
    """Return the error of a tool that made no file.

    Parameters
    ----------
    tool : str
        Its name.
    lines : sequence of str
        The end of its output. Only errors count: a song may be called "DRM".
    free_bytes : int
        On the disk.
    """
    error = _errors(lines)
    if free_bytes < MIN_FREE_BYTES:
        kind = KINDS["disk-full"]
        return DownloadError("disk-full", f"{tool}: {kind.sentence}", kind.hint)
    for code, kind in KINDS.items():
        if re.search(kind.words, error, re.IGNORECASE):
            return DownloadError(code, f"{tool}: {kind.sentence} ({error})", kind.hint)
    if not error:
        return DownloadError("no-result", f"{tool}: nothing was found", KINDS["no-result"].hint)
    return DownloadError(
        "download", f"{tool} failed: {error}", "a newer version often helps: pip install --upgrade"
    )


def _errors(lines: Sequence[str]) -> str:
    """Return the last error in a tool's output, on one line; of a traceback, its last exception."""
    errors = [n for n, line in enumerate(lines) if _ERROR.match(line)]
    if not errors:
        return ""
    last = " ".join(" ".join(lines[errors[-1] : errors[-1] + 5]).split())
    last = _SONG.sub(r"\1", last)
    last = _ERROR.sub("", last, count=1) if last.startswith("ERROR") else last
    return last if len(last) <= LONGEST else last[: LONGEST - 1] + "…"
