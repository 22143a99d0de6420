"""``chains.*``: the user's chains of effects, each a file in the data folder.

A file appears whole or not at all. Built-in chains are listed too, and cannot be replaced.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.desk.chains import BUILT_IN, Chain, check_chain
from sfa_engine.errors import LibraryError, Refused, did_you_mean
from sfa_engine.system.atomic import write_durably
from sfa_engine.wire.verbs import verb

FOLDER = "chains"
MAX_CHAINS = 1000
MAX_BYTES = 100_000  # of a file: a chain has one or two thousand

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z", max_length=40)]


class ChainVerbs:
    """The verbs on chains of effects.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._writing = asyncio.Lock()

    @verb(scope="read")
    async def chains_list(self) -> dict[str, Any]:
        """Return the names of the chains, built in and the user's own, and the latter's folder."""
        own = await asyncio.to_thread(self._names)
        return {"folder": str(self._folder), "built_in": list(BUILT_IN), "chains": own}

    @verb(scope="read")
    async def chains_get(self, name: Name) -> dict[str, Any]:
        """Return a chain."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        return await asyncio.to_thread(self._read, name)

    @verb(scope="perform")
    async def chains_save(self, name: Name, chain: dict[str, Any]) -> dict[str, Any]:
        """Save a chain, in place of an earlier one of its name."""
        if name in BUILT_IN:
            raise Refused(f'the chain "{name}" is built in', "save it under another name")
        checked = check_chain(chain)
        async with self._writing:
            await asyncio.to_thread(self._write, name, checked)
        return {"path": str(self._folder / f"{name}.json")}

    @verb(scope="perform")
    async def chains_delete(self, name: Name) -> dict[str, Any]:
        """Delete one of the user's chains."""
        if name in BUILT_IN:
            raise Refused(f'the chain "{name}" is built in', "delete one of your own")
        async with self._writing:
            await asyncio.to_thread(self._delete, name)
        return {"deleted": name}

    def _names(self) -> list[str]:
        return sorted(each.stem for each in self._folder.glob("*.json"))[:MAX_CHAINS]

    def _read(self, name: str) -> Chain:
        path = self._folder / f"{name}.json"
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise self._absent(name) from None
        except OSError as error:
            raise _failed(error, path) from None
        if len(content) > MAX_BYTES:
            raise Refused(f"{path} has more than {MAX_BYTES // 1000} kB", "it is no chain")
        try:
            return check_chain(json.loads(content))
        except (ValueError, RecursionError) as error:
            raise Refused(f"{path} is not JSON: {error!s:.200}", "save it again") from None
        except Refused as error:
            raise Refused(f"{path}: {error.message}", error.hint) from None

    def _write(self, name: str, chain: Chain) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if name not in (names := self._names()) and len(names) >= MAX_CHAINS:
                raise Refused(f"there are {MAX_CHAINS} chains", "delete some")
            write_durably(self._folder / f"{name}.json", json.dumps(chain, indent=1) + "\n")
        except OSError as error:
            raise _failed(error, self._folder) from None

    def _delete(self, name: str) -> None:
        try:
            (self._folder / f"{name}.json").unlink()
        except FileNotFoundError:
            raise self._absent(name) from None
        except OSError as error:
            raise _failed(error, self._folder) from None

    def _absent(self, name: str) -> Refused:
        hint = did_you_mean(name, [*BUILT_IN, *self._names()]) or "list them with `sfa fx list`"
        return Refused(f'no chain is called "{name}"', hint)


def _failed(error: OSError, folder: Path) -> LibraryError:
    return LibraryError(
        f"{error.filename or folder}: {error.strerror}", "check permissions and free space"
    )
