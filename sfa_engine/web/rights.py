"""Roles of accounts: their scopes, and who assigns them. Pure.

What a role may do with a thing, `sfa_engine.wire.rights` knows, for all servers.
"""

from __future__ import annotations

from sfa_engine.wire.rights import MACHINE, ROLES, SYSTEM, Actor, Right, Role, may, rank
from sfa_engine.wire.verbs import SCOPES, Scope

__all__ = [
    "MACHINE",
    "ROLES",
    "SCOPES_OF",
    "STORED",
    "SYSTEM",
    "Actor",
    "Right",
    "Role",
    "may",
    "may_assign",
    "rank",
]

STORED: tuple[Role, ...] = tuple(role for role in ROLES if role != "system")

_USER: frozenset[Scope] = frozenset({"read", "propose", "prepare", "library"})
SCOPES_OF: dict[Role, frozenset[Scope]] = {
    "user": _USER,
    "moderator": _USER | {"perform"},
    "admin": SCOPES,
    "super_admin": SCOPES,
    "system": SCOPES,
}


def may_assign(actor: Actor, before: Role, after: Role) -> bool:
    """Return whether an actor may change an account's role.

    Both roles have to be below the actor's; a super_admin changes super_admins too.
    """
    if not actor.has("admin") or after not in STORED:
        return False
    return actor.has("super_admin") or rank(actor.role) > max(rank(before), rank(after))
