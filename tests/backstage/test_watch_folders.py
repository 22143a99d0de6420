"""Folders that are watched: noted whole or not at all, and watched once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from house import prep_context

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.backstage.watch_folders import FILE, FolderWatcher
from sfa_engine.errors import LibraryError


@asynccontextmanager
async def watching(data: Path) -> AsyncIterator[FolderWatcher]:
    """Lend what watches for a library, at work."""
    async with prep_context(data) as context:
        lent = FolderWatcher(context, Dispatcher(context.queue, {}, {}))
        working = asyncio.create_task(lent.run())
        try:
            yield lent
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


def watches(folder: Path) -> int:
    """Return how often this process has the kernel watch a folder."""
    number = folder.stat().st_ino
    found = 0
    for entry in Path("/proc/self/fdinfo").iterdir():
        with suppress(OSError):
            found += entry.read_text().count(f"inotify wd:1 ino:{number:x} ")
    return found


@pytest.mark.parametrize(
    "text", ["[1]", '{"/music": 5}', '{"/music": {"engine": "no such"}}', '{"/music": {"a": 1}}']
)
def test_a_file_of_folders_that_is_damaged_is_put_aside_and_the_rest_goes_on(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text)

    async def main() -> None:
        async with watching(tmp_path) as here:
            assert here.folders == ()
            here.add(tmp_path, PrepOptions())

    asyncio.run(main())
    assert FILE in caplog.text
    assert (tmp_path / FILE).with_suffix(".damaged").read_text() == text
    assert list(json.loads((tmp_path / FILE).read_text())) == [str(tmp_path)]


def test_a_folder_that_cannot_be_noted_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    (tmp_path / FILE).with_suffix(".damaged").mkdir()
    (tmp_path / FILE).with_suffix(".damaged").joinpath("full").touch()

    async def main() -> None:
        async with watching(tmp_path) as here:
            with pytest.raises(LibraryError, match="cannot write"):
                here.add(tmp_path, PrepOptions())
            assert here.folders == ()

    asyncio.run(main())


@pytest.mark.slow
def test_a_folder_that_comes_and_goes_is_watched_once_and_then_not_at_all(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    async def until(count: int) -> None:
        for _ in range(400):
            if watches(inbox) == count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{watches(inbox)} watches, not {count}")

    async def main() -> None:
        async with watching(tmp_path) as here:
            for _ in range(3):
                here.add(inbox, PrepOptions())
                await until(1)
                assert here.remove(inbox)
                await until(0)
            assert not here.remove(inbox)

    asyncio.run(main())
