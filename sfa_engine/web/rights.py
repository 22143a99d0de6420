"""Who may do what: roles, scopes and owners, in one function. Pure.

=========== ======================================= ========================= ===================
role        scopes                                  reads                     changes
=========== ======================================= ========================= ===================
user        read, propose, prepare, library         the machine's, their own  their own
moderator   and perform                             everything                their own; decks
admin       all                                     everything                everything
super_admin all                                     everything                everything; admins
system      all: the machine itself, never stored   everything                everything
=========== ======================================= ========================= ===================

A token has fewer scopes than its account, never more. What has no owner is the machine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sfa_engine.wire.verbs import SCOPES, Scope

Role = Literal["user", "moderator", "admin", "super_admin", "system"]
ROLES: tuple[Role, ...] = get_args(Role)  # each has the rights of those before it
STORED: tuple[Role, ...] = tuple(role for role in ROLES if role != "system")
MACHINE = 0  # the owner of what no account owns; accounts count from 1

_USER: frozenset[Scope] = frozenset({"read", "propose", "prepare", "library"})
SCOPES_OF: dict[Role, frozenset[Scope]] = {
    "user": _USER,
    "moderator": _USER | {"perform"},
    "admin": SCOPES,
    "super_admin": SCOPES,
    "system": SCOPES,
}


@dataclass(frozen=True)
class Actor:
    """Who sends a request.

    Attributes
    ----------
    account : int
        `MACHINE` for the system.
    role : Role
    scopes : frozenset of Scope
        Of the account, or of the token that is used.
    is_page : bool
        Whether it is signed in by a session, not by a token.
    name : str
        Of the account.
    """

    account: int
    role: Role
    scopes: frozenset[Scope]
    is_page: bool = False
    name: str = ""

    def has(self, role: Role) -> bool:
        """Return whether it has the rights of a role."""
        return rank(self.role) >= rank(role)


SYSTEM = Actor(MACHINE, "system", SCOPES, name="system")


@dataclass(frozen=True)
class Right:
    """What a verb needs.

    Attributes
    ----------
    scope : Scope
    is_owned : bool
        Whether what it changes or shows has an owner, as a track has; a deck has none.
    is_new : bool
        Whether it makes something, which is the sender's.
    least : Role
        That is needed besides the scope.
    """

    scope: Scope
    is_owned: bool = False
    is_new: bool = False
    least: Role = "user"


def rank(role: Role) -> int:
    """Return a role's place among the roles."""
    return ROLES.index(role)


def may(actor: Actor, verb: Right, owner: int = MACHINE) -> bool:
    """Return whether an actor may use a verb on a thing.

    Parameters
    ----------
    actor : Actor
    verb : Right
    owner : int
        Account that owns the thing; `MACHINE` if none does.
    """
    if verb.scope not in actor.scopes or not actor.has(verb.least):
        return False
    if not verb.is_owned or verb.is_new or actor.has("admin"):
        return True
    if owner == actor.account:
        return True
    return verb.scope == "read" and (owner == MACHINE or actor.has("moderator"))


def may_assign(actor: Actor, before: Role, after: Role) -> bool:
    """Return whether an actor may change an account's role.

    Both roles have to be below the actor's; a super_admin changes super_admins too.
    """
    if not actor.has("admin") or after not in STORED:
        return False
    return actor.has("super_admin") or rank(actor.role) > max(rank(before), rank(after))
