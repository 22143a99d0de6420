"""Folders that are watched: what arrives in them is prepared, from one start to the next."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from sfa_engine.backstage.foreman import Foreman
from sfa_engine.backstage.services.arrivals import STEADY_S, arrivals
from sfa_engine.backstage.services.links import sound_files
from sfa_engine.backstage.steps.chain import Find, Wish, import_file, import_key
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.durable import write_durably
from sfa_engine.errors import SfaError
from sfa_engine.finished import within_time
from sfa_engine.library.fault import blamed_files
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
FILE = "watched.json"
WALK_S = 600.0  # for a folder with all that is in it
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
        self._wishes = self._read()
        self._ends: dict[Path, asyncio.Event] = {}  # of those that are followed
        self._added: asyncio.Queue[Path] = asyncio.Queue()
        for folder in self._wishes:
            self._added.put_nowait(folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that are watched."""
        return tuple(self._wishes)

    def _read(self) -> dict[Path, Wish]:
        try:
            said = json.loads(self._file.read_text())
            return {Path(path): Wish(**wish) for path, wish in said.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, SfaError) as error:
            logger.warning("%s: %s", self._file, error)
            with suppress(OSError):
                self._file.rename(self._file.with_suffix(".damaged"))
            return {}

    def add(self, folder: Path, wish: Wish) -> None:
        """Watch a folder from now on.

        Raises
        ------
        LibraryError
            That cannot be noted for the next start; the folder is not watched.
        """
        self._write({**self._wishes, folder: wish})
        if folder not in self._wishes:
            self._added.put_nowait(folder)
        self._wishes[folder] = wish

    def remove(self, folder: Path) -> bool:
        """Watch a folder no more; return whether it was."""
        if folder not in self._wishes:
            return False
        self._write({path: wish for path, wish in self._wishes.items() if path != folder})
        del self._wishes[folder]
        if folder in self._ends:
            self._ends.pop(folder).set()
        return True

    def _write(self, wishes: dict[Path, Wish]) -> None:
        said = json.dumps({str(path): asdict(wish) for path, wish in wishes.items()})
        with blamed_files(f'cannot write "{self._file}"'):
            write_durably(self._file, said)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                folder = await self._added.get()
                if folder in self._wishes and folder not in self._ends:
                    self._ends[folder] = asyncio.Event()
                    group.create_task(self._follow(folder, self._ends[folder]))

    async def _follow(self, folder: Path, end: asyncio.Event) -> None:
        """Put what arrives in a folder into the queue, for as long as it is to be watched."""
        while not end.is_set():
            missed = asyncio.create_task(self._catch_up(folder))
            try:
                async for path in arrivals(folder, end):
                    if not end.is_set():
                        await self._put(path, self._wishes[folder])
            except OSError:
                pass  # it comes back, as a stick does
            except Exception as error:  # noqa: BLE001 - watchfiles gives up at a name that is no UTF-8
                first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
                logger.warning("%s: %s", folder, first)
            finally:
                missed.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), AGAIN_S)

    async def _catch_up(self, folder: Path) -> None:
        """Put what came while nobody watched into the queue."""
        await asyncio.sleep(STEADY_S)  # what is being written now is told when it is whole
        try:
            files = (await within_time(WALK_S, sound_files, folder)).paths
            found = await self._shop.database.fetch(
                "SELECT location FROM sources"
                " UNION SELECT unique_key FROM jobs WHERE unique_key LIKE ? || '%'",
                (import_key(""),),
            )
            known = {each[0] for each in found}
            for path in files:
                names = {sayable(str(path)), import_key(str(path))}
                names |= {str(folder), import_key(str(folder))}  # as a track that came in stems
                if not known & names and folder in self._wishes:
                    await self._put(path, self._wishes[folder])
        except SfaError as error:
            logger.warning("%s: %s", folder, error)
        except TimeoutError:
            logger.warning("%s does not answer", folder)

    async def _put(self, path: Path, wish: Wish) -> None:
        try:
            async with self._shop.database.transaction() as connection:
                await self._shop.queue.add_chain(connection, [import_file(Find(str(path)), wish)])
        except SfaError as error:
            logger.warning("%s: %s", path, error)
        self._foreman.wake()
