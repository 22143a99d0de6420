"""Paths of sound files as other programs write them: as a URL, with drives, of any system. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_URL_DRIVE = re.compile(r"/[A-Za-z]:[\\/]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: one is a drive
_HOST = "localhost"


def is_windows(path: str) -> bool:
    """Return whether a path begins with a drive, or is of a Windows network."""
    return _DRIVE.match(path) is not None or path.startswith("\\\\")


def is_absolute(path: str) -> bool:
    """Return whether a path is absolute, on any system."""
    return path.startswith("/") or is_windows(path)


def forward(path: str) -> str:
    r"""Return a path with slashes: ``C:\a\b.mp3`` is ``C:/a/b.mp3``; others are unchanged."""
    return path.replace("\\", "/") if is_windows(path) else path


def file_url(path: str) -> str:
    """Return an absolute path as ``file://localhost/…``, as rekordbox writes it.

    Raises
    ------
    UnicodeEncodeError
        It has a surrogate that is not a byte of a file's name.
    """
    path = forward(path)
    raw = path.encode("utf-8", "surrogateescape")
    return f"file://{_HOST}{'' if path.startswith('/') else '/'}{quote(raw, safe='/:')}"


def path_of(url: str) -> str:
    r"""Return the path of a ``file:`` URL, or of a path; empty if it is the URL of a stream.

    Parameters
    ----------
    url : str
        ``file://localhost/C:/a%20b.mp3``, ``file:///Users/a.mp3``, ``C:\a b.mp3``, ``/a b.mp3``.

    Returns
    -------
    str
        ``C:/a b.mp3``. Bytes that are not UTF-8 are read as Windows-1252.
    """
    if "\0" in url:
        return ""
    if not url.lower().startswith("file:"):
        return "" if _SCHEME.match(url) else forward(url)
    rest = url[5:]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if not slash:  # file://localhostsoundcloud:tracks:1
            return ""
        rest = f"/{rest}" if host.lower() in {"", _HOST} else f"//{host}/{rest}"
    raw = unquote_to_bytes(rest)
    if b"\0" in raw:
        return ""
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError:
        path = raw.decode("cp1252", "replace")
    return forward(path[1:]) if _URL_DRIVE.match(path) else path
