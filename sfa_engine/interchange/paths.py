"""Paths as other programs write them: Windows drives, file URLs, other machines, other spellings.

Two paths that differ only in case or in how letters are composed (NFC, NFD) are the same file on
the systems that write them; `folded` makes them equal. Pure, but for `found`, which reads folders.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sfa_engine.errors import Refused

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def plain(text: str, folder: str = "") -> str:
    """Return a path with ``/`` between its parts: ``C:/Music/a.mp3``, ``/music/a.mp3``.

    Parameters
    ----------
    text : str
        A path of any system, a ``file:`` URL, or an address, which is returned as it is.
    folder : str
        That a relative path is of.
    """
    if text.lower().startswith("file:"):
        text = _of_url(text)
    elif _ADDRESS.match(text):
        return text
    if _DRIVE.match(text) or text.startswith("\\\\") or ("\\" in text and "/" not in text):
        text = text.replace("\\", "/")
    if folder and not text.startswith("/") and not _DRIVE.match(text):
        text = f"{folder}/{text}"
    is_share = text.startswith("//")
    return f"{'/' if is_share else ''}{os.path.normpath(text).removeprefix('/' * is_share)}"


def _of_url(text: str) -> str:
    """Return the path of a ``file:`` URL, of which some have two, three or four slashes."""
    try:
        parts = urlsplit(text)
        host, path = parts.netloc, text[len(parts.scheme) + 1 :]
    except ValueError:
        host, path = "", text[5:]
    path = unquote(path)
    if path.startswith("//"):
        path = path[2 + len(unquote(host)) :]
    if re.match(r"/+[A-Za-z]:[\\/]", path):
        return path.lstrip("/")
    if host and host.lower() != "localhost":
        return f"//{host}{path}"
    return f"/{path.lstrip('/')}"


def folded(text: str) -> str:
    """Return a text that is equal for spellings that differ in case or composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@dataclass(frozen=True, slots=True)
class Mapping:
    """What is below a folder of another machine, and where that is here."""

    source: tuple[str, ...]
    target: str

    @classmethod
    def parse(cls, text: str) -> Mapping:
        """Parse ``FROM=TO``.

        Raises
        ------
        Refused
            It is not that, or TO is not absolute.
        """
        source, equals, target = text.partition("=")
        if not equals or not source.strip() or not target.startswith("/"):
            raise Refused(f'invalid mapping "{text:.80}"', "give FROM=TO, as D:/Music=/srv/music")
        return cls(_parts(plain(source.strip())), target.rstrip("/"))

    def apply(self, path: str) -> str | None:
        """Return where a path is here; None if it is not below the folder."""
        parts = path.split("/")
        above = [folded(part) for part in parts[: len(self.source)]]
        if tuple(above) != self.source:
            return None
        return "/".join([self.target, *parts[len(self.source) :]])


def _parts(path: str) -> tuple[str, ...]:
    return tuple(folded(part) for part in path.rstrip("/").split("/"))


def mapped(path: str, mappings: list[Mapping]) -> str:
    """Return a path by the first mapping that has it, else as it is."""
    for each in mappings:
        if (moved := each.apply(path)) is not None:
            return moved
    return path


@dataclass
class Finder:
    """Finds files whose names are spelled otherwise; each folder is read once."""

    _folders: dict[str, dict[str, str]] = field(default_factory=dict)

    def found(self, path: str) -> str | None:
        """Return the path of an existing file or folder, as it is spelled here. Blocks.

        Percent signs are decoded if nothing has them as they are.
        """
        if not path.startswith("/") or "\0" in path:
            return None
        for candidate in dict.fromkeys((path, unquote(path))):
            if (there := self._spelled(candidate)) is not None:
                return there
        return None

    def _spelled(self, path: str) -> str | None:
        if _exists(path):
            return path
        here = "/"
        for part in filter(None, path.split("/")):
            straight = os.path.join(here, part)  # noqa: PTH118
            if not _exists(straight):
                name = self._names(here).get(folded(part))
                if name is None:
                    return None
                straight = os.path.join(here, name)  # noqa: PTH118
            here = straight
        return here

    def _names(self, folder: str) -> dict[str, str]:
        if folder not in self._folders:
            try:
                names = os.listdir(folder)  # noqa: PTH208
            except OSError:
                names = []
            self._folders[folder] = {folded(name): name for name in sorted(names, reverse=True)}
        return self._folders[folder]


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path)  # noqa: PTH110
    except ValueError:
        return False


def name_of(path: str) -> str:
    """Return the last part of a path without its ending."""
    name = path.rstrip("/").rpartition("/")[2]
    return Path(name).stem or name
