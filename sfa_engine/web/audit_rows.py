"""The audit log of the accounts: rows that wait in ``accounts.db`` until backstage takes them.

Triggers write them, in the transaction of the change: whichever endpoint or command makes it. Who
makes it is an attribute of the connection, which the triggers read by a function.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextvars import ContextVar
from typing import Any

from sfa_engine.web.rights import SYSTEM, Actor

FUNCTION = "sfa_actor"  # of the triggers
BATCH = 100
NOT_SIGNED_IN = "(not signed in)"
# Who makes a change, if that is not the system: an actor, or none; and its address.
ACTING: ContextVar[tuple[Actor | None, str]] = ContextVar("acting", default=(SYSTEM, ""))

_NOW = "(julianday('now') - 2440587.5) * 86400.0"
_INSERT = (
    "INSERT INTO audit_outbox (at_s, actor, verb, target, before, after)"
    f" SELECT {_NOW}, {FUNCTION}(),"
)
_RECORDED = f"{FUNCTION}() IS NOT NULL"
_NAME = "(SELECT name FROM users WHERE id = {row}.user_id)"
_OF_TOKEN = "'user ' || coalesce(" + _NAME + ", {row}.user_id)"

# A statement of a trigger is not at the end of a line: scripts are split there.
OUTBOX = f"""
CREATE TABLE audit_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    at_s REAL NOT NULL,
    actor TEXT NOT NULL, -- JSON
    verb TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT, -- JSON
    after TEXT,
    outcome TEXT NOT NULL DEFAULT 'ok'
) STRICT;
CREATE TRIGGER outbox_bounded AFTER INSERT ON audit_outbox BEGIN
    DELETE FROM audit_outbox WHERE id <= new.id - 10000; END;
CREATE TRIGGER users_added AFTER INSERT ON users WHEN {_RECORDED} BEGIN
    {_INSERT} 'users.add', 'user ' || new.name, NULL, json_object('role', new.role); END;
CREATE TRIGGER users_role AFTER UPDATE OF role ON users
    WHEN old.role <> new.role AND {_RECORDED} BEGIN
    {_INSERT} 'users.role', 'user ' || new.name, json_object('role', old.role),
    json_object('role', new.role); END;
CREATE TRIGGER users_status AFTER UPDATE OF status ON users
    WHEN old.status <> new.status AND {_RECORDED} BEGIN
    {_INSERT} 'users.status', 'user ' || new.name, json_object('status', old.status),
    json_object('status', new.status); END;
CREATE TRIGGER users_password AFTER UPDATE OF password ON users
    WHEN old.password IS NOT new.password AND {_RECORDED} BEGIN
    {_INSERT} 'users.password', 'user ' || new.name, NULL, NULL; END;
CREATE TRIGGER users_removed AFTER DELETE ON users WHEN {_RECORDED} BEGIN
    {_INSERT} 'users.remove', 'user ' || old.name, json_object('role', old.role), NULL; END;
CREATE TRIGGER links_added AFTER INSERT ON links WHEN {_RECORDED} BEGIN
    {_INSERT} 'users.link', coalesce('user ' || {_NAME.format(row="new")}, 'the first user'),
    NULL, NULL; END;
CREATE TRIGGER tokens_added AFTER INSERT ON tokens WHEN {_RECORDED} BEGIN
    {_INSERT} 'tokens.add', {_OF_TOKEN.format(row="new")}, NULL,
    json_object('purpose', new.name, 'scopes', new.scopes, 'expires_s', new.expires_s); END;
CREATE TRIGGER tokens_removed AFTER DELETE ON tokens WHEN {_RECORDED} BEGIN
    {_INSERT} 'tokens.delete', {_OF_TOKEN.format(row="old")},
    json_object('purpose', old.name, 'scopes', old.scopes), NULL; END;
"""  # noqa: S608 - constants


def described(actor: Actor | None, address: str = "") -> dict[str, Any]:
    """Return an actor for rows; None is a sender that is not signed in."""
    if actor is None:
        return {"account": 0, "actor": NOT_SIGNED_IN, "role": None, "address": address}
    return {
        "account": actor.account,
        "actor": actor.name,
        "role": actor.role,
        "address": actor.address or address,
    }


def add(connection: sqlite3.Connection, verb: str, target: str, outcome: str) -> None:
    """Write down what changes no row: a sign-in that failed."""
    connection.execute(
        "INSERT INTO audit_outbox (at_s, actor, verb, target, outcome)"
        f" SELECT ?, {FUNCTION}(), ?, ?, ? WHERE {_RECORDED}",
        (time.time(), verb, target[:300], outcome[:300]),
    )


def waiting(connection: sqlite3.Connection) -> list[tuple[int, dict[str, Any]]]:
    """Return the oldest rows, each with its number, as `audit.add` takes them."""
    found = connection.execute("SELECT * FROM audit_outbox ORDER BY id LIMIT ?", (BATCH,))
    return [(int(row["id"]), _row(row)) for row in found]


def _row(row: sqlite3.Row) -> dict[str, Any]:
    said = {name: row[name] for name in ("uuid", "at_s", "verb", "target", "outcome")}
    said |= json.loads(row["actor"])
    for name in ("before", "after"):
        said[name] = json.loads(row[name]) if row[name] else None
    return said


def forget(connection: sqlite3.Connection, last: int) -> None:
    """Delete rows up to a number."""
    connection.execute("DELETE FROM audit_outbox WHERE id <= ?", (last,))
