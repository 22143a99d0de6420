"""Folders that are watched: what arrives in them is prepared, from one start to the next."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfa_engine.backstage.foreman import Foreman
from sfa_engine.backstage.services.arrivals import arrivals
from sfa_engine.backstage.steps.chain import Find, Wish, import_file
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import SfaError

FILE = "watched.json"
AGAIN_S = 30.0  # while a folder cannot be watched: a stick that is not in


class Watching:
    """Watches folders.

    Parameters
    ----------
    shop : Workshop
    foreman : Foreman
    """

    def __init__(self, shop: Workshop, foreman: Foreman) -> None:
        self._shop = shop
        self._foreman = foreman
        self._file = shop.settings.data / FILE
        self._wishes: dict[Path, Wish] = {}
        self._added: asyncio.Queue[Path] = asyncio.Queue()
        for path, wish in self._read().items():
            self._wishes[Path(path)] = Wish(**wish)
            self._added.put_nowait(Path(path))

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that are watched."""
        return tuple(self._wishes)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            said = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            print(f"backstage: {self._file}: {error}", file=sys.stderr, flush=True)
            return {}
        return said if isinstance(said, dict) else {}

    def add(self, folder: Path, wish: Wish) -> None:
        """Watch a folder from now on."""
        if folder not in self._wishes:
            self._added.put_nowait(folder)
        self._wishes[folder] = wish
        self._write()

    def remove(self, folder: Path) -> bool:
        """Watch a folder no more; return whether it was."""
        was = self._wishes.pop(folder, None) is not None
        self._write()
        return was

    def _write(self) -> None:
        beside = self._file.with_suffix(".part")
        beside.write_text(json.dumps({str(p): asdict(w) for p, w in self._wishes.items()}))
        beside.replace(self._file)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._follow(await self._added.get()))

    async def _follow(self, folder: Path) -> None:
        """Put what arrives in a folder into the queue, for as long as it is to be watched."""
        while folder in self._wishes:
            with suppress(OSError):
                async for path in arrivals(folder, asyncio.Event()):
                    wish = self._wishes.get(folder)
                    if wish is None:
                        return
                    await self._put(path, wish)
            await asyncio.sleep(AGAIN_S)

    async def _put(self, path: Path, wish: Wish) -> None:
        try:
            async with self._shop.database.transaction() as connection:
                await self._shop.queue.add_chain(connection, [import_file(Find(str(path)), wish)])
        except SfaError as error:
            print(f"backstage: {path}: {error}", file=sys.stderr, flush=True)
        self._foreman.wake()
