"""Rows of the audit log: who changed what, from where, and how it ended.

Every function takes a connection of `Database`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sfa_engine.library.audit_schema import MAX_KEPT
from sfa_engine.library.database import Connection, Row, change, insert, rows, set_setting

OK = "ok"
MAX_JSON = 4000  # bytes of params, before and after, each
MAX_TEXT = 300  # characters of a text in them
MAX_ITEMS = 20  # of a list
MAX_LINE, MAX_LINES = 280, 12  # of numbers: within MAX_JSON
HIDDEN = "(hidden)"
KEPT_SINCE = "audit-kept-since"  # settings: what the trigger compares with
_SECRET = ("secret", "password", "token", "authorization")


@dataclass(frozen=True)
class Entry:
    """A change.

    Attributes
    ----------
    at_s : float
        Seconds since 1970.
    account : int
        0 for the machine's user.
    actor, role : str
    surface : str
        Kind of the client.
    address : str
        Of its computer; empty for this one.
    verb, target : str
    params, before, after : mapping
        Plain values; `add` takes secrets out of them.
    outcome : str
        `OK`, or the code and the message of an error.
    uuid : str
    """

    at_s: float
    account: int
    actor: str
    role: str
    surface: str
    address: str
    verb: str
    target: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    outcome: str = OK
    uuid: str = field(default_factory=lambda: uuid.uuid4().hex)


async def add(connection: Connection, entry: Entry) -> None:
    """Append a row; one with the uuid of another is ignored."""
    await insert(
        connection,
        "INSERT INTO audit (uuid, at_s, account, actor, role, surface, address, verb, target,"
        " params, before, after, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(entry.uuid, entry.at_s, entry.account, entry.actor, entry.role, entry.surface),
            *(entry.address, entry.verb, _valid(entry.target), _packed(entry.params)),
            *(_packed(entry.before), _packed(entry.after), _valid(entry.outcome)),
        ),
    )


async def listed(
    connection: Connection,
    *,
    actor: str | None = None,
    verb: str | None = None,
    target: str | None = None,
    since_s: float = 0.0,
    before: int,
    limit: int,
) -> list[dict[str, Any]]:
    """Return rows, newest first, as plain values.

    Parameters
    ----------
    connection : Connection
    actor : str, optional
    verb : str, optional
        A verb, or the first part of its name: ``library`` for all of the library.
    target : str, optional
    since_s : float
        Seconds since 1970.
    before : int
        Rows with a lower id.
    limit : int
    """
    found = await rows(
        connection,
        "SELECT * FROM audit WHERE (?1 IS NULL OR actor = ?1)"
        " AND (?2 IS NULL OR verb = ?2 OR substr(verb, 1, length(?2) + 1) = ?2 || '.')"
        " AND (?3 IS NULL OR target = ?3) AND at_s >= ?4 AND id < ?5 ORDER BY id DESC LIMIT ?6",
        (actor, verb, target, since_s, before, limit),
    )
    return [_shown(each) for each in found]


async def prune(connection: Connection, kept_since_s: float) -> int:
    """Delete rows beyond the newest `MAX_KEPT`, and older ones than a time; return how many.

    Parameters
    ----------
    connection : Connection
    kept_since_s : float
        Seconds since 1970; 0 to keep rows of any age.
    """
    await set_setting(connection, KEPT_SINCE, kept_since_s)  # for this transaction alone
    gone = await change(
        connection,
        "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?"
        " OR at_s < min(strftime('%s', 'now') - 86400, ?)",
        (MAX_KEPT, kept_since_s),
    )
    await set_setting(connection, KEPT_SINCE, 0.0)
    return gone


def ranges(numbers: Iterable[int]) -> list[str]:
    """Return whole numbers as short texts: ``["1-200, 203"]``, as many as a row keeps."""
    parts: list[str] = []
    ordered = sorted({*numbers})
    at = 0
    while at < len(ordered):
        first = last = ordered[at]
        while at < len(ordered) and ordered[at] <= last + 1:
            last = ordered[at]
            at += 1
        parts.append(f"{first}-{last}" if last > first else f"{first}")
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part) > MAX_LINE:
            lines.append("")
        lines[-1] += f", {part}" if lines[-1] else part
    return [
        *lines[:MAX_LINES],
        *([f"(and {len(lines) - MAX_LINES} more lines)"] if lines[MAX_LINES:] else []),
    ]


def cleaned(value: Any, name: str = "") -> Any:
    """Return plain values without secrets, with short texts and lists."""
    if any(word in name.lower() for word in _SECRET) and isinstance(value, str | bytes):
        return HIDDEN
    if isinstance(value, str):
        return _valid(_without_password(value))
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, Mapping):
        few = list(value.items())[:MAX_ITEMS]
        return {_valid(str(key)): cleaned(each, str(key)) for key, each in few}
    if isinstance(value, list | tuple | set | frozenset):
        few_items = [cleaned(each, name) for each in list(value)[:MAX_ITEMS]]
        left = len(value) - len(few_items)
        return [*few_items, f"(and {left} more)"] if left else few_items
    return value


def _without_password(text: str) -> str:
    """Return a URL without the user and password in it, and any other text as it is."""
    if "@" not in text or "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        if parts.password is None and parts.username is None:
            return text
    except ValueError:
        return HIDDEN
    return parts._replace(netloc=f"{HIDDEN}@{parts.netloc.rpartition('@')[2]}").geturl()


def _packed(value: Mapping[str, Any] | None) -> str | None:
    if value is None:
        return None
    text = json.dumps(cleaned(value), ensure_ascii=False, default=str)
    return text if len(text.encode()) <= MAX_JSON else json.dumps({"cut": _cut(text)})


def _cut(text: str) -> str:
    return text.encode()[: MAX_JSON // 2].decode(errors="ignore")


def _valid(text: str) -> str:
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def _shown(found: Row) -> dict[str, Any]:
    said = {name: found[name] for name in found.keys()}  # noqa: SIM118 - of a row, not a dict
    for name in ("params", "before", "after"):
        said[name] = json.loads(said[name]) if said[name] else None
    return said


def changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return what differs of two states: its values before and after; None for no state."""
    old, new = before or {}, after or {}
    names: Iterable[str] = [n for n in {**old, **new} if old.get(n) != new.get(n)]
    if before is not None and after is not None:
        return {n: old.get(n) for n in names} or None, {n: new.get(n) for n in names} or None
    return (dict(old) or None), (dict(new) or None)
