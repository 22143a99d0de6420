"""Secrets that sign in: sessions, tokens, one-time links. Functions on a connection.

Each is 32 random bytes, of which the database has the SHA-256 only.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from sfa_engine.errors import Refused
from sfa_engine.web import users
from sfa_engine.web.database import Connection
from sfa_engine.web.rights import SCOPES_OF, SYSTEM, Actor, Role
from sfa_engine.web.users import User
from sfa_engine.wire.verbs import SCOPES, Scope

BYTES = 32
DAY_S = 86_400.0
SESSION_IDLE_S = 30 * DAY_S
LINK_S = 600.0  # of the first user
INVITATION_S = 3 * DAY_S
SEEN_S = 3600.0  # how often a use is written down
MAX_OF_ONE = 100  # sessions of a user; the oldest end. Tokens, too, which are refused then
PREFIX = "sfa_"
MAX_SECRET = 100
_CHECK = 8  # hexadecimal digits of a CRC-32, so that a mistyped token needs no database


@dataclass(frozen=True)
class Session:
    """A browser that is signed in."""

    id: str
    created_s: float
    seen_s: float
    address: str
    agent: str


@dataclass(frozen=True)
class Token:
    """A program's access."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_s: float
    expires_s: float | None
    seen_s: float | None


def digest(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret[:MAX_SECRET].encode("utf-8", "replace")).digest()


def _new() -> str:
    return secrets.token_urlsafe(BYTES)


# ---------------------------------------------------------------- sessions


def begin_session(connection: Connection, user: int, address: str, agent: str) -> str:
    """Sign a browser in; return the secret of its cookie."""
    secret, now = _new(), time.time()
    connection.execute("DELETE FROM sessions WHERE seen_s < ?", (now - SESSION_IDLE_S,))
    connection.execute(
        "DELETE FROM sessions WHERE user_id = ? AND hash NOT IN"
        " (SELECT hash FROM sessions WHERE user_id = ? ORDER BY seen_s DESC LIMIT ?)",
        (user, user, MAX_OF_ONE - 1),
    )
    connection.execute(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
        (digest(secret), secrets.token_hex(8), user, now, now, address[:64], agent[:200]),
    )
    return secret


def actor_of_session(connection: Connection, secret: str) -> tuple[Actor, bool] | None:
    """Return who a cookie signs in, and whether its use is to be written down."""
    now = time.time()
    row = connection.execute(
        "SELECT user_id, role, name, seen_s FROM sessions JOIN users ON users.id = user_id"
        " WHERE hash = ? AND status = 'active' AND seen_s >= ?",
        (digest(secret), now - SESSION_IDLE_S),
    ).fetchone()
    if row is None:
        return None
    role = cast("Role", row["role"])
    actor = Actor(row["user_id"], role, SCOPES_OF[role], is_page=True, name=row["name"])
    return actor, now - row["seen_s"] > SEEN_S


def mark_session(connection: Connection, secret: str, address: str) -> None:
    """Write down that a session was used."""
    connection.execute(
        "UPDATE sessions SET seen_s = ?, address = ? WHERE hash = ?",
        (time.time(), address[:64], digest(secret)),
    )


def end_session(connection: Connection, secret: str) -> None:
    """Sign a browser out."""
    connection.execute("DELETE FROM sessions WHERE hash = ?", (digest(secret),))


def end_session_by_id(connection: Connection, user: int, session: str) -> bool:
    """Sign one of a user's browsers out; return whether it was signed in."""
    cursor = connection.execute(
        "DELETE FROM sessions WHERE user_id = ? AND id = ?", (user, session)
    )
    return cursor.rowcount > 0


def sessions_of(connection: Connection, user: int) -> list[Session]:
    """Return a user's browsers, the latest first."""
    rows = connection.execute(
        "SELECT id, created_s, seen_s, address, agent FROM sessions"
        " WHERE user_id = ? AND seen_s >= ? ORDER BY seen_s DESC",
        (user, time.time() - SESSION_IDLE_S),
    )
    return [Session(**dict(row)) for row in rows]


# ---------------------------------------------------------------- tokens


def add_token(
    connection: Connection, user: User, name: str, scopes: Collection[str], days: int | None
) -> tuple[str, Token]:
    """Make a token; return its secret, which is shown once, and what is stored.

    Raises
    ------
    Refused
        The name has control characters; a scope is unknown, or not the account's; there are too
        many tokens.
    """
    if not name.isprintable():  # terminals would obey them
        raise Refused(f"the name is {name!a:.80}", "leave control characters out")
    for scope in scopes:
        if scope not in SCOPES:
            raise Refused(f'no scope "{scope:.40}"', f"give some of {', '.join(sorted(SCOPES))}")
        if scope not in SCOPES_OF[user.role]:
            raise Refused(f"a {user.role} does not have the scope {scope}", "leave it out")
    if not scopes:
        raise Refused("the token has no scope", f"give some of {', '.join(sorted(SCOPES))}")
    if len(tokens_of(connection, user.id)) >= MAX_OF_ONE:
        raise Refused(f"{user.name} has {MAX_OF_ONE} tokens", "delete some")
    plain = _new()
    secret = f"{PREFIX}{plain}{_check(plain)}"
    now = time.time()
    expires_s = None if days is None else now + days * DAY_S
    token = Token(secrets.token_hex(8), name, tuple(sorted(set(scopes))), now, expires_s, None)
    connection.execute(
        "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (digest(secret), token.id, user.id, name, " ".join(token.scopes), now, expires_s),
    )
    return secret, token


def actor_of_token(connection: Connection, secret: str) -> tuple[Actor, bool] | None:
    """Return whose token it is, and whether its use is to be written down."""
    plain, check = secret.removeprefix(PREFIX)[:-_CHECK], secret[-_CHECK:]
    if not secret.startswith(PREFIX) or len(secret) > MAX_SECRET or check != _check(plain):
        return None
    now = time.time()
    row = connection.execute(
        "SELECT user_id, role, users.name, scopes, seen_s FROM tokens"
        " JOIN users ON users.id = user_id WHERE hash = ? AND status = 'active'"
        " AND (expires_s IS NULL OR expires_s > ?)",
        (digest(secret), now),
    ).fetchone()
    if row is None:
        return None
    role = cast("Role", row["role"])
    scopes = cast("frozenset[Scope]", frozenset(row["scopes"].split())) & SCOPES_OF[role]
    actor = Actor(row["user_id"], role, scopes, name=row["name"])
    return actor, now - (row["seen_s"] or 0.0) > SEEN_S


def mark_token(connection: Connection, secret: str) -> None:
    """Write down that a token was used."""
    connection.execute("UPDATE tokens SET seen_s = ? WHERE hash = ?", (time.time(), digest(secret)))


def tokens_of(connection: Connection, user: int) -> list[Token]:
    """Return a user's tokens, the newest first."""
    rows = connection.execute(
        "SELECT id, name, scopes, created_s, expires_s, seen_s FROM tokens WHERE user_id = ?"
        " ORDER BY created_s DESC",
        (user,),
    )
    return [Token(**{**dict(row), "scopes": tuple(row["scopes"].split())}) for row in rows]


def delete_token(connection: Connection, user: int, token: str) -> bool:
    """Delete one of a user's tokens; return whether there was one."""
    cursor = connection.execute("DELETE FROM tokens WHERE user_id = ? AND id = ?", (user, token))
    return cursor.rowcount > 0


def _check(plain: str) -> str:
    return f"{zlib.crc32(plain.encode('utf-8', 'replace')):08x}"


# ---------------------------------------------------------------- links


def add_link(connection: Connection, user: User | None) -> str:
    """Make a one-time link for a user to set a password; return its secret.

    Without a user it makes the first one. Earlier links of the same kind are void.

    Raises
    ------
    Refused
        There is a first user already, or the user is suspended.
    """
    now = time.time()
    if user is None and users.exist(connection):
        raise Refused("there is a user already", "see `sfa web user add` and `sfa web user reset`")
    if user is not None and user.status != "active":
        raise Refused(f"{user.name} is suspended", f"see `sfa web user restore {user.name}`")
    number = None if user is None else user.id
    connection.execute("DELETE FROM links WHERE user_id IS ? OR expires_s < ?", (number, now))
    secret = _new()
    expires_s = now + (LINK_S if user is None else INVITATION_S)
    connection.execute("INSERT INTO links VALUES (?, ?, ?)", (digest(secret), number, expires_s))
    return secret


def link_user(connection: Connection, secret: str) -> tuple[bool, User | None]:
    """Return whether a link is valid, and whose it is; that of the first user has no user yet."""
    row = connection.execute(
        "SELECT user_id FROM links WHERE hash = ? AND expires_s > ?", (digest(secret), time.time())
    ).fetchone()
    if row is None:
        return False, None
    if row["user_id"] is None:
        return not users.exist(connection), None
    user = users.by_id(connection, row["user_id"])
    return user is not None and user.status == "active", user


def use_link(connection: Connection, secret: str, name: str, password: str) -> User:
    """Use a one-time link: set the password of its user, or make the first user.

    Parameters
    ----------
    name : str
        Of the first user; other links have one.
    password : str
        Its hash.

    Raises
    ------
    Refused
        The link is invalid, used or expired, or the name is invalid.
    """
    is_valid, user = link_user(connection, secret)
    if not is_valid:
        raise Refused("the link is not valid any more", "make another one with `sfa web`")
    if user is None:
        unused = users.find(connection, name)  # invited before anybody could sign in
        user = unused or users.add(connection, SYSTEM, name, "super_admin")
        users.set_role(connection, SYSTEM, user.name, "super_admin")
    connection.execute("DELETE FROM links WHERE hash = ?", (digest(secret),))
    users.set_password(connection, user.id, password)
    return users.get(connection, user.name)
