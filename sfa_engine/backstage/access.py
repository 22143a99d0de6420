"""What the actor of a request may see and change: the rule of `wire.rights`, on tracks and jobs.

What an actor may not see is, for them, not there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated

from sfa_engine.errors import Absent, Forbidden
from sfa_engine.library import ownership, search, tracks
from sfa_engine.library.database import Connection
from sfa_engine.library.ownership import EVERYTHING, OTHER, SHARED, View, alone, own
from sfa_engine.library.track import Track
from sfa_engine.wire.rights import MACHINE, Actor, Right, may
from sfa_engine.wire.verbs import GIVEN, SCOPES

By = Annotated[Actor, GIVEN]  # a verb's parameter: who sent the request
READ = Right("read", is_owned=True)
CHANGE = Right("library", is_owned=True)
PREPARE = Right("prepare", is_owned=True)
PERFORM = Right("perform", is_owned=True)  # what a deck writes down of its track
FLAG = Right("library", least="moderator")


def sees(actor: Actor, owner: int) -> bool:
    """Return whether an owner's things are there for an actor, whatever the token's scopes."""
    return may(replace(actor, scopes=SCOPES), READ, owner)


def visible(actor: Actor, view: View = "combined") -> str:
    """Return the condition on rows of `tracks` that an actor sees in a view."""
    if view == "own":
        return own(actor.account)
    if view == "shared":
        return SHARED
    return EVERYTHING if sees(actor, OTHER) else f"({SHARED} OR {own(actor.account)})"


def changeable(actor: Actor, right: Right = CHANGE) -> str:
    """Return the condition on rows of `tracks` that an actor may use a right on."""
    return EVERYTHING if may(actor, right, OTHER) else alone(actor.account)


async def find(connection: Connection, actor: Actor, track: int | str) -> Track:
    """Return the one track that an actor sees of a number, or of words."""
    words = f"#{track}" if isinstance(track, int) else track
    return await search.find_one(connection, words, visible(actor))


async def check_track(connection: Connection, actor: Actor, right: Right, track: Track) -> None:
    """Refuse a right on a track that is not the actor's.

    Raises
    ------
    Absent
        The actor does not even see it.
    Forbidden
        It is the machine's, or another account's.
    """
    owner = await ownership.owner_for(connection, track, actor.account)
    if may(actor, right, owner):
        return
    if not sees(actor, owner) and not await ownership.is_member(
        connection, track.id, actor.account
    ):
        raise Absent(f"no track {track.id}", "search for its title")
    whose = "the machine's" if owner == MACHINE else "another account's"
    raise Forbidden(f'"{track.name}" is {whose}', "ask an admin")


async def check_number(connection: Connection, actor: Actor, right: Right, track: int) -> Track:
    """Return a track by its number, removed or not, if an actor may use a right on it."""
    found = await tracks.get(connection, track, visible(actor))
    await check_track(connection, actor, right, found)
    return found


@dataclass(frozen=True)
class JobOwners:
    """For whom a job is.

    Parameters
    ----------
    account : int
        The owner; `MACHINE` for the machine's.
    accounts : collection of int
        All that wait for it.
    """

    account: int
    accounts: Collection[int]

    def owner_for(self, account: int) -> int:
        """Return the owner as an account's rights count it; see `ownership.owner_for`."""
        shares = self.account != MACHINE and account in self.accounts
        return account if shares else self.account

    def seen_by(self, actor: Actor) -> bool:
        """Return whether it is there for an actor."""
        return sees(actor, self.owner_for(actor.account)) or actor.account in self.accounts


def visible_jobs(actor: Actor, view: View = "combined") -> str:
    """Return the condition on rows of `jobs` that an actor sees in a view."""
    if view == "own":
        return _own_jobs(actor.account)
    if view == "shared":
        return "account IS NULL"
    everything = sees(actor, OTHER)
    return EVERYTHING if everything else f"(account IS NULL OR {_own_jobs(actor.account)})"


def changeable_jobs(actor: Actor) -> str:
    """Return the condition on rows of `jobs` that an actor may retry and cancel."""
    if may(actor, PREPARE, OTHER):
        return EVERYTHING
    if actor.account == MACHINE:
        return "account IS NULL"
    return f"(account IS NOT NULL AND {_own_jobs(actor.account)})"


def _own_jobs(account: int) -> str:
    if account == MACHINE:
        return "account IS NULL"
    return f"id IN (SELECT job_id FROM job_accounts WHERE job_accounts.account = '{account:d}')"  # noqa: S608
