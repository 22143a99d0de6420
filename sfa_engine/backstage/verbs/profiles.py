"""``profiles.*``: the user's MIDI profiles, each a file in the data folder.

What is in them the MIDI surface knows; here a text is TOML with a name.
"""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.errors import Refused
from sfa_engine.system.named_files import FileName, NamedFiles
from sfa_engine.wire.verbs import verb

FOLDER = "profiles"
MAX_CHARACTERS = 500_000  # so that it fits in a message

Content = Annotated[str, Meta(max_length=MAX_CHARACTERS)]


class ProfileVerbs:
    """The verbs on the user's MIDI profiles.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._files = NamedFiles(data / FOLDER, "user's profile", "sfa midi map", suffix=".toml")

    @verb(scope="read")
    async def profiles_list(self) -> dict[str, Any]:
        """Return the names of the user's profiles, and their folder."""
        names = await asyncio.to_thread(self._files.names)
        return {"folder": str(self._files.folder), "profiles": names}

    @verb(scope="perform")
    async def profiles_save(self, name: FileName, text: Content) -> dict[str, Any]:
        """Save a profile, in place of an earlier one of its name."""
        try:
            given = tomllib.loads(text).get("name")
        except (ValueError, RecursionError) as error:
            raise Refused(f"the profile {name} is not TOML: {error!s:.200}") from None
        if given != name:
            raise Refused(f'the profile is called "{given!s:.40}"', f"save it as that, not {name}")
        return {"path": str(await self._files.save(name, text))}

    @verb(scope="perform")
    async def profiles_remove(self, name: FileName) -> dict[str, Any]:
        """Remove one of the user's profiles; a built-in one of its name is in force again."""
        await self._files.remove(name)
        return {"removed": name}
