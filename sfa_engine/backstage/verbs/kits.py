"""``kits.*``: kits of the sampler, each a folder in the data folder; and sounds for pads, decoded.

What a kit is, `sfa_engine.track.kit` knows; here are the folders, each of which appears whole or
not at all.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import shutil
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sfa_engine.backstage.runner import WorkerRequest, run_worker
from sfa_engine.desk.desk import PADS
from sfa_engine.errors import LibraryError, MediaError, Refused, did_you_mean
from sfa_engine.system.atomic import move_aside
from sfa_engine.track.kit import (
    MANIFEST,
    MAX_LENGTH_S,
    Source,
    check_name,
    described,
    read_kit,
    rename_manifest,
    write_kit,
)
from sfa_engine.wire.verbs import Text, verb

FOLDER = "kits"
SOUNDS_FOLDER = "pads"  # in the data folder, as `host.pads` has it
MAX_KITS = 1000
TIME_LIMIT_S = 110.0  # to decode ten minutes on a slow machine takes one

Given = Annotated[list[dict[str, Any]], Meta(max_length=PADS)]


class KitVerbs:
    """The verbs on kits.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    tag : str
        Prefix of the tags of its workers.
    """

    def __init__(self, data: Path, tag: str) -> None:
        self._folder = data / FOLDER
        self._sounds = data / SOUNDS_FOLDER
        self._tags = (f"{tag}-kit-{number}" for number in itertools.count())
        self._writing = asyncio.Lock()

    @verb(scope="read")
    async def kits_list(self) -> dict[str, Any]:
        """Return the kits by name, each with its number of pads, and their folder."""
        return {"folder": str(self._folder), "kits": await asyncio.to_thread(self._all)}

    @verb(scope="read")
    async def kits_show(self, name: Text) -> dict[str, Any]:
        """Return a kit: file, names and settings of each pad; ``missing`` without its file."""
        return await asyncio.to_thread(self._show, check_name(name))

    @verb(scope="perform")
    async def kits_new(self, name: Text) -> dict[str, Any]:
        """Make an empty kit."""
        check_name(name)
        async with self._writing:
            return await asyncio.to_thread(self._write, name, [], replace=False)

    @verb(scope="library", slow=True)
    async def kits_save(self, name: Text, pads: Given) -> dict[str, Any]:
        """Save sounds of pads as a kit, in place of one of its name: see ``kit.save``."""
        check_name(name)
        try:
            sources = msgspec.convert(pads, list[Source])
        except msgspec.ValidationError as error:
            raise Refused(f"invalid pads: {error!s:.200}", "save them with kit.save") from None
        async with self._writing:
            return await asyncio.to_thread(self._write, name, sources, replace=True)

    @verb(scope="perform")
    async def kits_delete(self, name: Text) -> dict[str, Any]:
        """Delete a kit and its sounds."""
        check_name(name)
        async with self._writing:
            await asyncio.to_thread(self._delete, name)
        return {"deleted": name}

    @verb(scope="perform")
    async def kits_rename(self, name: Text, to: Text) -> dict[str, Any]:
        """Rename a kit."""
        check_name(name)
        check_name(to)
        async with self._writing:
            await asyncio.to_thread(self._rename, name, to)
        return {"renamed": name, "to": to}

    @verb(scope="library", slow=True)
    async def kits_decode(self, path: Text) -> dict[str, Any]:
        """Decode a sound file into a WAV for a pad, in the data folder; return its path."""
        try:
            self._sounds.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _failed(error, self._sounds) from None
        target = self._sounds / f"{secrets.token_hex(8)}.wav"
        values = {"path": path, "output": str(target), "longest_s": MAX_LENGTH_S}
        request = WorkerRequest(
            ("-m", "sfa_engine.prep.sample"), values, next(self._tags), TIME_LIMIT_S
        )
        return await run_worker(request)  # of normal priority: a performer waits for it

    # ------------------------------------------------------------------ files

    def _names(self) -> list[str]:
        """Return the names of the kits; hidden folders are being written."""
        try:
            found = [each.parent.name for each in self._folder.glob(f"*/{MANIFEST}")]
        except OSError as error:
            raise _failed(error, self._folder) from None
        return sorted(name for name in found if not name.startswith("."))[:MAX_KITS]

    def _all(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for name in self._names():
            try:
                rows.append({"name": name, "pads": len(read_kit(self._folder / name).pads)})
            except MediaError as error:
                rows.append({"name": name, "pads": 0, "error": str(error)})
        return rows

    def _place(self, name: str) -> Path:
        """Return the folder of a kit that there is."""
        if not (self._folder / name / MANIFEST).exists():
            hint = did_you_mean(name, self._names()) or "list them: `sfa kit list`"
            raise Refused(f'no kit "{name}"', hint)
        return self._folder / name

    def _show(self, name: str) -> dict[str, Any]:
        folder = self._place(name)
        pads = described(folder, read_kit(folder))
        shown = [{**pad, "missing": not Path(pad["path"]).is_file()} for pad in pads]
        return {"name": name, "folder": str(folder), "pads": shown}

    def _write(self, name: str, sources: list[Source], *, replace: bool) -> dict[str, Any]:
        folder = self._folder / name
        if folder.exists() and not replace:
            raise Refused(f'there is a kit "{name}"', "choose another name, or delete it")
        if not folder.exists() and len(self._names()) >= MAX_KITS:
            raise Refused(f"there are {MAX_KITS} kits", "delete some")
        kit = write_kit(folder, name, sources)
        return {"name": name, "folder": str(folder), "pads": len(kit.pads)}

    def _delete(self, name: str) -> None:
        folder = self._place(name)
        try:
            aside = move_aside(folder)
        except OSError as error:
            raise _failed(error, folder) from None
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)

    def _rename(self, name: str, to: str) -> None:
        folder, target = self._place(name), self._folder / to
        if target.exists():
            raise Refused(f'there is a kit "{to}"', "choose another name, or delete it")
        try:
            rename_manifest(folder, to)
            folder.rename(target)
        except OSError as error:
            raise _failed(error, folder) from None


def _failed(error: OSError, folder: Path) -> LibraryError:
    return LibraryError(
        f"{error.filename or folder}: {error.strerror}", "check permissions and free space"
    )
