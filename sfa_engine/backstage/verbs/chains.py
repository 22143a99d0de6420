"""``chains.*``: the user's chains of effects, each a file in the data folder.

Built-in chains are listed too, and cannot be replaced.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sfa_engine.desk.chains import BUILT_IN, Chain, check_chain
from sfa_engine.errors import Refused
from sfa_engine.system.named_files import FileName, NamedFiles
from sfa_engine.wire.verbs import verb

FOLDER = "chains"
MAX_BYTES = 100_000  # of a file: a chain has one or two thousand


class ChainVerbs:
    """The verbs on chains of effects.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._files = NamedFiles(
            data / FOLDER, "chain", "sfa fx list", suffix=".json", max_bytes=MAX_BYTES
        )

    @verb(scope="read")
    async def chains_list(self) -> dict[str, Any]:
        """Return the names of the chains, built in and the user's own, and the latter's folder."""
        own = await asyncio.to_thread(self._files.names)
        return {"folder": str(self._files.folder), "built_in": list(BUILT_IN), "chains": own}

    @verb(scope="read")
    async def chains_get(self, name: FileName) -> dict[str, Any]:
        """Return a chain."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        return await asyncio.to_thread(self._files.read, name, _parse, BUILT_IN)

    @verb(scope="perform")
    async def chains_save(self, name: FileName, chain: dict[str, Any]) -> dict[str, Any]:
        """Save a chain, in place of an earlier one of its name."""
        if name in BUILT_IN:
            raise Refused(f'the chain "{name}" is built in', "save it under another name")
        text = json.dumps(check_chain(chain), indent=1) + "\n"
        return {"path": str(await self._files.save(name, text))}

    @verb(scope="perform")
    async def chains_delete(self, name: FileName) -> dict[str, Any]:
        """Delete one of the user's chains."""
        if name in BUILT_IN:
            raise Refused(f'the chain "{name}" is built in', "delete one of your own")
        await self._files.remove(name, BUILT_IN)
        return {"deleted": name}


def _parse(content: bytes) -> Chain:
    return check_chain(json.loads(content))
