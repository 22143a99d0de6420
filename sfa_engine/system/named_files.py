"""Files that a user names: chains, presets, MIDI profiles, mixes and kits. For asyncio.

::

    <data>/chains/NAME.json     <data>/profiles/NAME.toml     a file each
    <data>/kits/NAME/kit.json                                 a folder each, with a manifest

Each appears whole or not at all. What is in one, its owner checks: `parse` before it is returned,
the writer before it is written. Files are read and written in threads, written one at a time.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta

from sfa_engine.errors import LibraryError, Refused, did_you_mean
from sfa_engine.system.atomic import move_aside, write_durably

MAX_FILES = 1000  # of a kind
NAME_PATTERN = "[a-z0-9][a-z0-9-]{0,39}"
FileName = Annotated[
    str,
    Meta(
        pattern=rf"^{NAME_PATTERN}\Z",
        max_length=40,
        extra_json_schema={
            "description": "a name of at most 40 lower-case letters, digits and hyphens"
        },
    ),
]

T = TypeVar("T")


class NamedFiles:
    """The files of a kind, in a folder of their own.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first is written.
    kind : str
        What each is, in messages: ``chain``.
    listing : str
        How a user lists them, for hints: ``sfa fx list``.
    suffix : str
        Of the files' names; empty for folders.
    manifest : str
        File that each folder has; empty for plain files.
    max_bytes : int
        Of a file that is read.
    """

    def __init__(
        self,
        folder: Path,
        kind: str,
        listing: str,
        *,
        suffix: str = "",
        manifest: str = "",
        max_bytes: int = 1_000_000,
    ) -> None:
        self.folder = folder
        self._kind = kind
        self._listing = listing
        self._suffix = suffix
        self._manifest = manifest
        self._max_bytes = max_bytes
        self._writing = asyncio.Lock()

    def path(self, name: str) -> Path:
        """Return the file or folder of a name, which need not exist.

        Raises
        ------
        Refused
            The name could lead out of the folder, or to a hidden file.
        """
        if not name or name.startswith(".") or "/" in name:
            raise Refused(
                f"{name!r:.60} is not a name of a {self._kind}",
                f"list them: `{self._listing}`",
            )
        return self.folder / f"{name}{self._suffix}"

    def exists(self, name: str) -> bool:
        """Return whether there is one of a name."""
        return (self.path(name) / self._manifest).exists()

    def names(self) -> list[str]:
        """Return all names, sorted; hidden files are being written."""
        try:
            if self._manifest:
                found = [each.parent.name for each in self.folder.glob(f"*/{self._manifest}")]
            else:
                found = [each.stem for each in self.folder.glob(f"*{self._suffix}")]
        except OSError as error:
            raise self.failed(error) from None
        return sorted(name for name in found if not name.startswith("."))[:MAX_FILES]

    def absent(self, name: str, others: Iterable[str] = ()) -> Refused:
        """Return the error for a name that there is not; `others` are known from elsewhere."""
        known = (*others, *self.names())
        return Refused(
            f'no {self._kind} "{name}"',
            did_you_mean(name, known) or f"list them: `{self._listing}`",
        )

    def failed(self, error: OSError) -> LibraryError:
        """Return the error for a disk that refuses."""
        return LibraryError(
            f"{error.filename or self.folder}: {error.strerror}", "check permissions and free space"
        )

    def read(self, name: str, parse: Callable[[bytes], T], others: Iterable[str] = ()) -> T:
        """Return what `parse` makes of a file's content.

        Raises
        ------
        Refused
            There is none, or it is invalid; the message names the file.
        """
        path = self.path(name)
        try:
            with path.open("rb") as file:
                content = file.read(self._max_bytes + 1)
        except FileNotFoundError:
            raise self.absent(name, others) from None
        except OSError as error:
            raise self.failed(error) from None
        if len(content) > self._max_bytes:
            raise Refused(
                f"{path} has more than {self._max_bytes // 1000} kB", f"it is no {self._kind}"
            )
        try:
            return parse(content)
        except (ValueError, RecursionError) as error:
            raise Refused(f"{path} is not valid: {error!s:.200}", "save it again") from None
        except Refused as error:
            raise Refused(f"{path}: {error.message}", error.hint) from None

    async def write(self, name: str, write: Callable[[Path], T], *, replace: bool = True) -> T:
        """Write one under the limit; `write` is given its path, and runs in a thread.

        Raises
        ------
        Refused
            There are `MAX_FILES`, or there is one of the name and `replace` is false.
        LibraryError
            The disk refuses.
        """
        async with self._writing:
            return await asyncio.to_thread(self._write, name, write, replace)

    async def save(self, name: str, content: str, *, replace: bool = True) -> Path:
        """Write a text, in place of an earlier one of its name; return its file."""

        def store(path: Path) -> Path:
            write_durably(path, content)
            return path

        return await self.write(name, store, replace=replace)

    async def remove(self, name: str, others: Iterable[str] = ()) -> None:
        """Remove one, and all that is in its folder."""
        async with self._writing:
            await asyncio.to_thread(self._remove, name, others)

    async def rename(self, name: str, to: str, prepare: Callable[[Path], None]) -> None:
        """Rename one after `prepare` has changed what it says of its name."""
        async with self._writing:
            await asyncio.to_thread(self._rename, name, to, prepare)

    def _write(self, name: str, write: Callable[[Path], T], replace: bool) -> T:
        self.check_room(name, replace=replace)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return write(self.path(name))
        except OSError as error:
            raise self.failed(error) from None

    def check_room(self, name: str, *, replace: bool) -> None:
        """Refuse a name that is taken, unless it is replaced, and more than `MAX_FILES`."""
        if self.path(name).exists():
            if not replace:
                raise self._taken(name)
        elif len(self.names()) >= MAX_FILES:
            raise Refused(f"there are {MAX_FILES} {self._kind}s", "remove some")

    def _taken(self, name: str) -> Refused:
        return Refused(f'there is a {self._kind} "{name}"', "choose another name, or remove it")

    def _rename(self, name: str, to: str, prepare: Callable[[Path], None]) -> None:
        if not self.exists(name):
            raise self.absent(name)
        if self.path(to).exists():
            raise self._taken(to)
        try:
            prepare(self.path(name))
            self.path(name).rename(self.path(to))
        except OSError as error:
            raise self.failed(error) from None

    def _remove(self, name: str, others: Iterable[str]) -> None:
        if not self.exists(name):
            raise self.absent(name, others)
        try:
            if not self._manifest:
                self.path(name).unlink()
                return
        except FileNotFoundError:
            raise self.absent(name, others) from None
        except OSError as error:
            raise self.failed(error) from None
        aside = move_aside(self.path(name))
        if aside is None:
            raise LibraryError(f"{self.path(name)} cannot be removed", "check its permissions")
        shutil.rmtree(aside, ignore_errors=True)
