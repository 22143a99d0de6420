"""Whose tracks are: members, views, flags. Functions on a connection of `Database`.

=====================  ==========================================================
``tracks.account``     the owner; NULL: the machine's, which everybody sees
``memberships``        the accounts that have the track, its owner among them
=====================  ==========================================================

A second import of a sound adds a member, not a copy. A track that the machine has is the machine's,
even if accounts have it too; the last account that leaves a track moves it to the trash. Accounts
are numbers of another program's database, from 1; 0 is the machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sfa_engine.library.database import Connection, change, row, rows
from sfa_engine.library.track import Track

MACHINE = 0
OTHER = -1  # owns what is for those alone who see everything
View = Literal["own", "shared", "combined"]
EVERYTHING = "1"  # as a condition
SHARED = "tracks.account IS NULL"
MAX_REASON = 500  # characters


def own(account: int) -> str:
    """Return the condition on a row of `tracks` that an account has the track."""
    if account == MACHINE:
        return SHARED
    return (
        "EXISTS (SELECT 1 FROM memberships AS m"  # noqa: S608 - a whole number
        f" WHERE m.track_id = tracks.id AND m.account = '{account:d}')"
    )


def alone(account: int) -> str:
    """Return the condition that an account has the track, and the machine does not."""
    return SHARED if account == MACHINE else f"(NOT {SHARED} AND {own(account)})"


async def join(
    connection: Connection, track_id: int, accounts: Iterable[int], *, shared: bool, is_new: bool
) -> None:
    """Add accounts to those that have a track.

    Parameters
    ----------
    connection : Connection
        Of a transaction.
    track_id : int
    accounts : iterable of int
        The first owns a new track.
    shared : bool
        Whether the machine has it too.
    is_new : bool
        Whether the track was made for them.
    """
    members = [str(each) for each in accounts]
    now = time.time()
    await connection.executemany(
        "INSERT OR IGNORE INTO memberships VALUES (?, ?, ?)",
        [(track_id, each, now) for each in members],
    )
    if shared or is_new:
        owner = members[0] if members and not shared else None
        await change(connection, "UPDATE tracks SET account = ? WHERE id = ?", (owner, track_id))


async def leave(connection: Connection, track: Track, account: int) -> bool:
    """Take an account from those that have a track, where others keep it; return whether they do.

    The machine does not leave: what it removes goes to the trash.
    """
    if account == MACHINE or not await is_member(connection, track.id, account):
        return False
    others = await rows(
        connection,
        "SELECT account FROM memberships WHERE track_id = ? AND account <> ?"
        " ORDER BY added_at, account",
        (track.id, str(account)),
    )
    if track.account is not None and not others:
        return False
    await change(
        connection,
        "DELETE FROM memberships WHERE track_id = ? AND account = ?",
        (track.id, str(account)),
    )
    if track.account == str(account):
        await change(
            connection,
            "UPDATE tracks SET account = ? WHERE id = ?",
            (others[0]["account"], track.id),
        )
    return True


async def assign(connection: Connection, track_id: int, account: int) -> None:
    """Give a track to one account alone; to the machine by its number."""
    await change(connection, "DELETE FROM memberships WHERE track_id = ?", (track_id,))
    accounts = [] if account == MACHINE else [account]
    await join(connection, track_id, accounts, shared=account == MACHINE, is_new=True)


async def merge(connection: Connection, track_id: int, into: int) -> None:
    """Give another track the members of one that is about to be deleted."""
    await change(
        connection,
        "INSERT OR IGNORE INTO memberships"
        " SELECT ?, account, added_at FROM memberships WHERE track_id = ?",
        (into, track_id),
    )
    await change(
        connection,
        "UPDATE tracks SET account = NULL WHERE id = ?"
        " AND (SELECT account FROM tracks WHERE id = ?) IS NULL",
        (into, track_id),
    )


async def is_member(connection: Connection, track_id: int, account: int) -> bool:
    """Return whether an account has a track."""
    found = await row(
        connection,
        "SELECT 1 FROM memberships WHERE track_id = ? AND account = ?",
        (track_id, str(account)),
    )
    return found is not None


async def owners(connection: Connection, track_id: int) -> list[int]:
    """Return the accounts that have a track, `MACHINE` for the machine; none if it is gone."""
    found = await rows(
        connection,
        "SELECT 0 AS account FROM tracks WHERE id = ?1 AND account IS NULL"
        " UNION SELECT CAST(account AS INTEGER) FROM memberships WHERE track_id = ?1",
        (track_id,),
    )
    return [int(each["account"]) for each in found]


async def owner_for(connection: Connection, track: Track, account: int) -> int:
    """Return the owner of a track as an account's rights count it.

    An account that has a track together with others owns it; a track of the machine is the
    machine's alone, or a second import of it would be a way to change it.
    """
    if track.account is None:
        return MACHINE
    if await is_member(connection, track.id, account):
        return account
    return int(track.account)


# ---------------------------------------------------------------- flags


@dataclass(frozen=True, slots=True)
class Flag:
    """A moderator's complaint about a track."""

    track: int
    title: str
    artist: str
    account: int
    name: str
    reason: str
    flagged_at: float


async def flag(connection: Connection, track_id: int, account: int, name: str, reason: str) -> None:
    """Flag a track; a second flag of an account replaces its first."""
    await change(
        connection,
        "INSERT OR REPLACE INTO flags VALUES (?, ?, ?, ?, ?)",
        (track_id, account, name, reason, time.time()),
    )


async def unflag(connection: Connection, track_id: int) -> int:
    """Delete the flags of a track; return how many it had."""
    return await change(connection, "DELETE FROM flags WHERE track_id = ?", (track_id,))


async def flags(connection: Connection, limit: int, offset: int) -> list[Flag]:
    """Return a page of all flags, the latest first."""
    found = await rows(
        connection,
        "SELECT tracks.id AS track, title, artist, flags.account AS account, name, reason,"
        " flagged_at FROM flags JOIN tracks ON tracks.id = track_id WHERE deleted_at IS NULL"
        " ORDER BY flagged_at DESC, track_id LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [Flag(**dict(each)) for each in found]


async def count_flags(connection: Connection) -> int:
    """Return how many flags there are."""
    found = await row(
        connection,
        "SELECT count(*) FROM flags JOIN tracks ON tracks.id = track_id WHERE deleted_at IS NULL",
    )
    return int(found[0]) if found else 0
