"""A library without anybody at work, and the steps that import and export."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from house import prep_context

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.steps.library_export import LibraryExport
from sfa_engine.backstage.steps.library_import import LibraryImport
from sfa_engine.interchange.record import Collection, Loss
from sfa_engine.interchange.registry import Format

IMPORT = {"format": "rekordbox", "maps": [], "mp3_shift": "none", "dry_run": False}
EXPORT = {"words": "", "playlist": "", "mp3_shift": "none", "replace": False}
OTHER_TABLES = ("track_words%", "sqlite_%", "audit%")


class Shop:
    """A library and its exchange."""

    def __init__(self, context: PrepContext, patch: pytest.MonkeyPatch) -> None:
        self.context = context
        self.database = context.database
        self._patch = patch
        self._jobs = itertools.count(1)
        self.written: Collection | None = None

    async def read(self, collection: Collection, **args: Any) -> dict[str, Any]:
        """Import a collection, as if a format's reader had read it."""
        self._patch.setattr(Format, "read", lambda _form, _path: collection)
        return await self.import_("/library.xml", **args)

    async def import_(self, path: Path | str, **args: Any) -> dict[str, Any]:
        """Import a file."""
        job = SimpleNamespace(id=next(self._jobs), args={"source": str(path), **IMPORT, **args})
        outcome = await LibraryImport(self.context)(job, lambda _share, _doing: None)
        return dict(outcome.result)

    async def export(self, path: Path | str, form: str, **args: Any) -> dict[str, Any]:
        """Export tracks."""
        args = {"path": str(path), "format": form, **EXPORT, **args}
        job = SimpleNamespace(id=next(self._jobs), args=args)
        outcome = await LibraryExport(self.context)(job, lambda _share, _doing: None)
        return dict(outcome.result)

    async def export_to(self, losses: list[Loss], **args: Any) -> dict[str, Any]:
        """Export tracks to a writer that keeps the collection, and loses something."""

        def keep(_form: Format, collection: Collection, path: Path) -> list[Loss]:
            self.written = collection
            path.touch()
            return losses

        self._patch.setattr(Format, "write", keep)
        return await self.export(self.context.places.folder / "out.xml", "rekordbox", **args)

    async def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of all tables."""
        names = await self.database.fetch(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"  # noqa: S608
            + "".join(f" AND name NOT LIKE '{name}'" for name in OTHER_TABLES)
        )
        found = {}
        for (name,) in names:
            sql = f"SELECT * FROM {name} ORDER BY 1, 2"  # noqa: S608 - ours
            rows = await self.database.fetch(sql)
            found[name] = [tuple(row) for row in rows]
        return found

    async def one(self, sql: str, *arguments: Any) -> Any:
        """Return the first row of a query."""
        return (await self.database.fetch(sql, arguments))[0]


@contextmanager
def open_shop(runner: asyncio.Runner, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Lend a shop with an empty library in a folder."""
    made = prep_context(folder)
    yield Shop(runner.run(made.__aenter__()), patch)
    runner.run(made.__aexit__(None, None, None))
