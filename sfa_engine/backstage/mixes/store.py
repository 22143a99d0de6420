"""Stored plans of mixes: ``<data>/mixes/NAME.toml``, each as `mix.plan_text` writes it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sfa_engine.errors import Refused
from sfa_engine.mix.document import Plan
from sfa_engine.mix.plan_text import MAX_BYTES, read_plan, write_plan
from sfa_engine.system.named_files import NamedFiles

FOLDER = "mixes"
DRAFTS = "mix-drafts"  # plans that nobody has named, see `DraftStore`
MAX_DRAFTS = 100
_TRACK = re.compile(rb"^\s*\[\[\s*track\s*\]\]", re.MULTILINE)


class Listed(NamedTuple):
    """A stored plan: its name, number of tracks, and when it was changed, in seconds since 1970."""

    name: str
    tracks: int
    changed_s: float


def digest_of(text: str | None) -> str:
    """Return the digest of a plan's text; empty for none."""
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()


class PlanStore:
    """The plans in a data folder. For asyncio.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    folder : str
        Of the plans, in it.
    """

    def __init__(self, data: Path, folder: str = FOLDER) -> None:
        self._files = NamedFiles(
            data / folder, "mix", "sfa mix list", suffix=".toml", max_bytes=MAX_BYTES
        )

    @property
    def folder(self) -> Path:
        """The folder of the plans."""
        return self._files.folder

    def path(self, name: str) -> Path:
        """Return the file of a plan, which need not exist; Refused if the name is none."""
        return self._files.path(name)

    async def listed(self) -> list[Listed]:
        """Return all plans by name."""
        return await asyncio.to_thread(self._all)

    async def exists(self, name: str) -> bool:
        """Return whether there is a plan of a name."""
        return await asyncio.to_thread(self._files.exists, name)

    async def read(self, name: str) -> Plan:
        """Return a plan.

        Raises
        ------
        Refused
            There is none, or it is invalid: the file, the line and what to do are named.
        """
        return await asyncio.to_thread(self._files.read, name, _plan)

    async def text(self, name: str) -> str:
        """Return a plan as it is in its file, valid or not; Refused if there is none."""
        return await asyncio.to_thread(self._files.read, name, _text)

    async def text_or_none(self, name: str) -> str | None:
        """Return a plan as it is in its file, or None if there is none."""
        return await self.text(name) if await self.exists(name) else None

    async def put_back(self, name: str, text: str) -> None:
        """Store the text that a plan had before, valid or not."""
        await self._files.save(name, text)

    async def write(self, name: str, plan: Plan | str, *, replace: bool = True) -> Plan:
        """Store a plan, checked, in place of an earlier one of its name.

        Parameters
        ----------
        name : str
        plan : Plan or str
            The same, or its text, which is stored as it is.
        replace : bool
            Whether an earlier one may be replaced.

        Returns
        -------
        Plan
            What was stored.

        Raises
        ------
        Refused
            It makes no sense: the line and what to do are named.
        LibraryError
            The disk refuses.
        """
        text = plan if isinstance(plan, str) else await asyncio.to_thread(write_plan, plan)
        checked = await asyncio.to_thread(read_plan, text)
        await self._files.save(name, text, replace=replace)
        return checked

    async def remove(self, name: str) -> None:
        """Remove a plan."""
        await self._files.remove(name)

    async def rename(self, name: str, to: str) -> None:
        """Rename a plan; Refused if there is one of the new name."""
        await self._files.rename(name, to, lambda _: None)

    def _all(self) -> list[Listed]:
        found = []
        for name in self._files.names():
            try:
                content = self._files.read(name, bytes)
                changed_s = self._files.path(name).stat().st_mtime
            except (Refused, OSError):  # removed meanwhile, or no plan at all
                continue
            # To parse 1000 plans would take a minute.
            found.append(Listed(name, len(_TRACK.findall(content)), changed_s))
        return found


class DraftStore(PlanStore):
    """Plans under names that are made of their text: ``draft-0123456789ab``. For asyncio.

    The newest `MAX_DRAFTS` are kept.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    """

    NAME = re.compile(r"draft-[0-9a-f]{12}")

    def __init__(self, data: Path) -> None:
        super().__init__(data, DRAFTS)

    async def add(self, plan: Plan) -> str:
        """Store a plan; return its name, which is that of an equal plan."""
        text = await asyncio.to_thread(write_plan, plan)
        name = f"draft-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        await self.write(name, text)
        await asyncio.to_thread(self._prune)
        return name

    def _prune(self) -> None:
        """Delete the oldest beyond `MAX_DRAFTS`."""
        with suppress(OSError):
            there = sorted(self.folder.glob("draft-*.toml"), key=lambda each: each.stat().st_mtime)
            for each in there[: max(0, len(there) - MAX_DRAFTS)]:
                each.unlink(missing_ok=True)


def _plan(content: bytes) -> Plan:
    return read_plan(_text(content))


def _text(content: bytes) -> str:
    return content.decode("utf-8")
