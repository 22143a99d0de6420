"""``kits.*``: kits of the sampler, each a folder in the data folder; and sounds for pads, decoded.

What a kit is, `sfa_engine.track.kit` knows; here are the folders, each of which appears whole or
not at all.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sfa_engine.backstage.runner import WorkerRequest, run_worker
from sfa_engine.desk.desk import PADS
from sfa_engine.errors import LibraryError, MediaError, Refused
from sfa_engine.system.named_files import NamedFiles
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
        self._files = NamedFiles(data / FOLDER, "kit", "sfa kit list", manifest=MANIFEST)
        self._sounds = data / SOUNDS_FOLDER
        self._tags = (f"{tag}-kit-{number}" for number in itertools.count())

    @verb(scope="read")
    async def kits_list(self) -> dict[str, Any]:
        """Return the kits by name, each with its number of pads, and their folder."""
        return {"folder": str(self._files.folder), "kits": await asyncio.to_thread(self._all)}

    @verb(scope="read")
    async def kits_show(self, name: Text) -> dict[str, Any]:
        """Return a kit: file, names and settings of each pad; ``missing`` without its file."""
        return await asyncio.to_thread(self._show, check_name(name))

    @verb(scope="perform")
    async def kits_new(self, name: Text) -> dict[str, Any]:
        """Make an empty kit."""
        return await self._write(name, [], replace=False)

    @verb(scope="library", slow=True)
    async def kits_save(self, name: Text, pads: Given) -> dict[str, Any]:
        """Save sounds of pads as a kit, in place of one of its name: see ``kit.save``."""
        check_name(name)
        try:
            sources = msgspec.convert(pads, list[Source])
        except msgspec.ValidationError as error:
            raise Refused(f"invalid pads: {error!s:.200}", "save them with kit.save") from None
        return await self._write(name, sources, replace=True)

    @verb(scope="perform")
    async def kits_delete(self, name: Text) -> dict[str, Any]:
        """Delete a kit and its sounds."""
        await self._files.remove(check_name(name))
        return {"deleted": name}

    @verb(scope="perform")
    async def kits_rename(self, name: Text, to: Text) -> dict[str, Any]:
        """Rename a kit."""
        await self._files.rename(
            check_name(name), check_name(to), lambda folder: rename_manifest(folder, to)
        )
        return {"renamed": name, "to": to}

    @verb(scope="library", slow=True)
    async def kits_decode(self, path: Text) -> dict[str, Any]:
        """Decode a sound file into a WAV for a pad, in the data folder; return its path."""
        try:
            self._sounds.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"{error.filename}: {error.strerror}", "check permissions and free space"
            ) from None
        target = self._sounds / f"{secrets.token_hex(8)}.wav"
        values = {"path": path, "output": str(target), "longest_s": MAX_LENGTH_S}
        request = WorkerRequest(
            ("-m", "sfa_engine.prep.sample"), values, next(self._tags), TIME_LIMIT_S
        )
        return await run_worker(request)  # of normal priority: a performer waits for it

    # ------------------------------------------------------------------ files

    def _all(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for name in self._files.names():
            try:
                rows.append({"name": name, "pads": len(read_kit(self._files.path(name)).pads)})
            except MediaError as error:
                rows.append({"name": name, "pads": 0, "error": str(error)})
        return rows

    def _show(self, name: str) -> dict[str, Any]:
        if not self._files.exists(name):
            raise self._files.absent(name)
        folder = self._files.path(name)
        pads = described(folder, read_kit(folder))
        shown = [{**pad, "missing": not Path(pad["path"]).is_file()} for pad in pads]
        return {"name": name, "folder": str(folder), "pads": shown}

    async def _write(self, name: str, sources: list[Source], *, replace: bool) -> dict[str, Any]:
        folder = self._files.path(check_name(name))
        kit = await self._files.write(
            name, lambda folder: write_kit(folder, name, sources), replace=replace
        )
        return {"name": name, "folder": str(folder), "pads": len(kit.pads)}
