"""``profiles.*``: the user's MIDI profiles, each a file in the data folder.

What is in them the MIDI surface knows; here a text is TOML with a name, and appears whole or not
at all.
"""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.errors import LibraryError, Refused, did_you_mean
from sfa_engine.system.atomic import write_durably
from sfa_engine.wire.verbs import verb

FOLDER = "profiles"
MAX_PROFILES = 1000
MAX_CHARACTERS = 500_000  # so that it fits in a message

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z", max_length=40)]
Content = Annotated[str, Meta(max_length=MAX_CHARACTERS)]


class ProfileVerbs:
    """The verbs on the user's MIDI profiles.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._writing = asyncio.Lock()

    @verb(scope="read")
    async def profiles_list(self) -> dict[str, Any]:
        """Return the names of the user's profiles, and their folder."""
        return {"folder": str(self._folder), "profiles": await asyncio.to_thread(self._names)}

    @verb(scope="perform")
    async def profiles_save(self, name: Name, text: Content) -> dict[str, Any]:
        """Save a profile, in place of an earlier one of its name."""
        try:
            given = tomllib.loads(text).get("name")
        except (ValueError, RecursionError) as error:
            raise Refused(f"the profile {name} is not TOML: {error!s:.200}") from None
        if given != name:
            raise Refused(f'the profile is called "{given!s:.40}"', f"save it as that, not {name}")
        async with self._writing:
            await asyncio.to_thread(self._write, name, text)
        return {"path": str(self._folder / f"{name}.toml")}

    @verb(scope="perform")
    async def profiles_remove(self, name: Name) -> dict[str, Any]:
        """Remove one of the user's profiles; a built-in one of its name is in force again."""
        async with self._writing:
            await asyncio.to_thread(self._remove, name)
        return {"removed": name}

    def _names(self) -> list[str]:
        return sorted(each.stem for each in self._folder.glob("*.toml"))[:MAX_PROFILES]

    def _write(self, name: str, text: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if name not in (names := self._names()) and len(names) >= MAX_PROFILES:
                raise Refused(f"there are {MAX_PROFILES} profiles", "remove some")
            write_durably(self._folder / f"{name}.toml", text)
        except OSError as error:
            raise _failed(error, self._folder) from None

    def _remove(self, name: str) -> None:
        try:
            (self._folder / f"{name}.toml").unlink()
        except FileNotFoundError:
            hint = did_you_mean(name, self._names()) or "list them with profiles.list"
            raise Refused(f'no profile of the user is called "{name}"', hint) from None
        except OSError as error:
            raise _failed(error, self._folder) from None


def _failed(error: OSError, folder: Path) -> LibraryError:
    return LibraryError(
        f"{error.filename or folder}: {error.strerror}", "check permissions and free space"
    )
