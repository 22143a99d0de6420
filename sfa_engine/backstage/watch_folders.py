"""Watched folders: new files in them are queued. The list survives a restart."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.services.input_sources import sound_files
from sfa_engine.backstage.services.new_files import STEADY_S, new_files
from sfa_engine.backstage.steps.plans import ImportSource, PrepOptions, import_file, import_key
from sfa_engine.errors import SfaError
from sfa_engine.library.sqlite_errors import os_errors_as
from sfa_engine.system.aio import within_time
from sfa_engine.system.atomic import write_durably
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)
FILE = "watched.json"
WALK_TIMEOUT_S = 600.0  # for a folder and all below it
RETRY_S = 30.0  # while a folder cannot be watched: a stick that is not plugged in


class FolderWatcher:
    """Watches folders.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._file = context.settings.data / FILE
        self._options = self._read()
        self._stops: dict[Path, asyncio.Event] = {}  # of the folders being watched
        self._added: asyncio.Queue[Path] = asyncio.Queue()
        for folder in self._options:
            self._added.put_nowait(folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that are watched."""
        return tuple(self._options)

    def _read(self) -> dict[Path, PrepOptions]:
        try:
            stored = json.loads(self._file.read_text())
            return {Path(path): PrepOptions(**options) for path, options in stored.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, SfaError) as error:
            logger.warning("%s: %s", self._file, error)
            with suppress(OSError):
                self._file.rename(self._file.with_suffix(".damaged"))
            return {}

    def add(self, folder: Path, options: PrepOptions) -> None:
        """Watch a folder from now on, also after a restart.

        Raises
        ------
        LibraryError
            The list cannot be written; the folder is not watched.
        """
        self._write({**self._options, folder: options})
        if folder not in self._options:
            self._added.put_nowait(folder)
        self._options[folder] = options

    def remove(self, folder: Path) -> bool:
        """Stop watching a folder; return whether it was watched."""
        if folder not in self._options:
            return False
        self._write({path: options for path, options in self._options.items() if path != folder})
        del self._options[folder]
        if folder in self._stops:
            self._stops.pop(folder).set()
        return True

    def _write(self, watched: dict[Path, PrepOptions]) -> None:
        text = json.dumps({str(path): asdict(options) for path, options in watched.items()})
        with os_errors_as(f'cannot write "{self._file}"'):
            write_durably(self._file, text)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                folder = await self._added.get()
                if folder in self._options and folder not in self._stops:
                    self._stops[folder] = asyncio.Event()
                    group.create_task(self._watch(folder, self._stops[folder]))

    async def _watch(self, folder: Path, stop: asyncio.Event) -> None:
        """Queue what is new in a folder until the event is set."""
        while not stop.is_set():
            missed = asyncio.create_task(self._catch_up(folder))
            try:
                async for path in new_files(folder, stop):
                    if not stop.is_set():
                        await self._queue_import(path, self._options[folder])
            except OSError:
                pass  # retried: a stick comes back
            except Exception as error:  # noqa: BLE001 - watchfiles gives up at a name that is no UTF-8
                first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
                logger.warning("%s: %s", folder, first)
            finally:
                missed.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)

    async def _catch_up(self, folder: Path) -> None:
        """Queue what was added while the folder was not watched."""
        await asyncio.sleep(STEADY_S)  # a file being written now is reported when it is complete
        try:
            files = (await within_time(WALK_TIMEOUT_S, sound_files, folder)).paths
            found = await self._context.database.fetch(
                "SELECT location FROM sources"
                " UNION SELECT unique_key FROM jobs WHERE unique_key LIKE ? || '%'",
                (import_key(""),),
            )
            known = {each[0] for each in found}
            for path in files:
                names = {sayable(str(path)), import_key(str(path))}
                names |= {str(folder), import_key(str(folder))}  # a folder of stems is one track
                if not known & names and folder in self._options:
                    await self._queue_import(path, self._options[folder])
        except SfaError as error:
            logger.warning("%s: %s", folder, error)
        except TimeoutError:
            logger.warning("%s: timeout", folder)

    async def _queue_import(self, path: Path, options: PrepOptions) -> None:
        try:
            async with self._context.database.transaction() as connection:
                await self._context.queue.add_chain(
                    connection, [import_file(ImportSource(str(path)), options)]
                )
        except SfaError as error:
            logger.warning("%s: %s", path, error)
        self._dispatcher.wake()
