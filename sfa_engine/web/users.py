"""Accounts: names, roles, status. Functions on a connection; see `database`."""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import dataclass
from typing import cast

from sfa_engine.errors import Forbidden, Refused
from sfa_engine.web.database import Connection
from sfa_engine.web.rights import STORED, Actor, Role, may_assign

MAX_NAME = 64
MAX_USERS = 10_000
_NAME = re.compile(r"\w[\w.@-]*")
_COLUMNS = "id, name, role, status, password, created_s"


@dataclass(frozen=True)
class User:
    """An account.

    Attributes
    ----------
    status : {"active", "suspended"}
    password : str or None
        Its hash; None before the invitation was accepted.
    created_s : float
        Since 1970.
    """

    id: int
    name: str
    role: Role
    status: str
    password: str | None
    created_s: float

    @property
    def state(self) -> str:
        """Its status for people: an active account without a password is invited."""
        is_invited = self.status == "active" and self.password is None
        return "invited" if is_invited else self.status


def key_of(name: str) -> str:
    """Return what is equal for names that only differ in case or in the form of a letter."""
    return unicodedata.normalize("NFKC", name).casefold()


def exist(connection: Connection) -> bool:
    """Return whether anybody can sign in: whether a first user has been made."""
    found = connection.execute("SELECT 1 FROM users WHERE password IS NOT NULL LIMIT 1")
    return found.fetchone() is not None


def find(connection: Connection, name: str) -> User | None:
    """Return the account of a name; None if there is none."""
    return _one(connection, "key = ?", key_of(name))


def get(connection: Connection, name: str) -> User:
    """Return the account of a name.

    Raises
    ------
    Refused
        There is none.
    """
    found = find(connection, name)
    if found is None:
        raise Refused(f'no user "{name:.80}"', "see `sfa web user list`")
    return found


def by_id(connection: Connection, user: int) -> User | None:
    """Return the account of a number."""
    return _one(connection, "id = ?", user)


def listed(connection: Connection) -> list[User]:
    """Return all accounts by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM users ORDER BY key")  # noqa: S608 - fixed
    return [User(**dict(row)) for row in rows]


def add(connection: Connection, actor: Actor, name: str, role: str) -> User:
    """Make an account without a password.

    Raises
    ------
    Refused
        The name is invalid or taken; there are too many.
    Forbidden
        The actor may not assign the role; see `may_assign`.
    """
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise Refused(
            f'the name is "{name:.80}"', f"give up to {MAX_NAME} letters, digits, and . _ @ -"
        )
    checked = _checked(role)
    if not may_assign(actor, "user", checked):
        raise Forbidden(f"a {actor.role} cannot make a {role}", "ask one with a higher role")
    if find(connection, name) is not None:
        raise Refused(f'there is a user "{name}"', "give another name")
    if connection.execute("SELECT count(*) FROM users").fetchone()[0] >= MAX_USERS:
        raise Refused(f"there are {MAX_USERS} users", "that is the limit")
    cursor = connection.execute(
        "INSERT INTO users (name, key, role, created_s) VALUES (?, ?, ?, ?)",
        (name, key_of(name), checked, time.time()),
    )
    made = by_id(connection, cast("int", cursor.lastrowid))
    assert made is not None
    return made


def set_role(connection: Connection, actor: Actor, name: str, role: str) -> User:
    """Change an account's role.

    Raises
    ------
    Refused
        There is no such user, or it is the last super_admin.
    Forbidden
        The actor may not change the old role to the new one; see `may_assign`.
    """
    user, checked = get(connection, name), _checked(role)
    if not may_assign(actor, user.role, checked):
        raise Forbidden(
            f"a {actor.role} cannot make a {user.role} a {role}", "ask one with a higher role"
        )
    if checked != "super_admin":
        _keep_one(connection, user)
    connection.execute("UPDATE users SET role = ? WHERE id = ?", (checked, user.id))
    return get(connection, name)


def set_status(connection: Connection, actor: Actor, name: str, status: str) -> User:
    """Suspend an account, or let it in again; a suspended one's sessions end.

    Raises
    ------
    Refused
        There is no such user, or it is the last super_admin.
    Forbidden
        The actor may not change an account of this role; see `may_assign`.
    """
    user = get(connection, name)
    check_may_change(actor, user)
    if status != "active":
        _keep_one(connection, user)
        connection.execute("DELETE FROM sessions WHERE user_id = ?", (user.id,))
        connection.execute("DELETE FROM links WHERE user_id = ?", (user.id,))
    connection.execute("UPDATE users SET status = ? WHERE id = ?", (status, user.id))
    return get(connection, name)


def check_exists(connection: Connection, user: object) -> None:
    """Refuse the number of an account that does not exist; 0 is the machine."""
    if type(user) is int and user and by_id(connection, user) is None:
        raise Refused(f"no user has the number {user}", "see `sfa web user list`")


def check_may_change(actor: Actor, user: User) -> None:
    """Refuse to change an account whose role the actor may not assign."""
    if not may_assign(actor, user.role, user.role):
        raise Forbidden(f"a {actor.role} cannot change a {user.role}", "ask one with a higher role")


def set_password(connection: Connection, user: int, password: str) -> None:
    """Store a password's hash; all sessions of the account end."""
    connection.execute("UPDATE users SET password = ? WHERE id = ?", (password, user))
    connection.execute("DELETE FROM sessions WHERE user_id = ?", (user,))
    connection.execute("DELETE FROM links WHERE user_id = ?", (user,))


def refresh_hash(connection: Connection, user: int, before: str, after: str) -> None:
    """Replace a hash by one of the same password, unless it was changed meanwhile."""
    with connection.unrecorded():
        connection.execute(
            "UPDATE users SET password = ? WHERE id = ? AND password = ?", (after, user, before)
        )


def _one(connection: Connection, where: str, value: object) -> User | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM users WHERE {where}",  # noqa: S608 - fixed
        (value,),
    ).fetchone()
    return User(**dict(row)) if row else None


def _checked(role: str) -> Role:
    if role not in STORED:
        raise Refused(f'no role "{role:.40}"', f"give one of {', '.join(STORED)}")
    return role


def _keep_one(connection: Connection, user: User) -> None:
    """Refuse to take the rights of the last one that has all."""
    if user.role != "super_admin" or user.status != "active" or user.password is None:
        return
    others = connection.execute(
        "SELECT 1 FROM users WHERE role = 'super_admin' AND status = 'active'"
        " AND password IS NOT NULL AND id != ? LIMIT 1",
        (user.id,),
    )
    if others.fetchone() is None:
        raise Refused(f"{user.name} is the last super_admin", "make another one first")
