"""Who sends a request, and what they may do: roles, scopes and owners, in one function. Pure.

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

The web process knows who its senders are, and names them in the envelope of the requests that it
sends on; a client's own request has none, and is the machine's user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from sfa_engine.errors import Refused
from sfa_engine.wire.frames import UNREADABLE, Raw
from sfa_engine.wire.verbs import SCOPES, Scope

Role = Literal["user", "moderator", "admin", "super_admin", "system"]
ROLES: tuple[Role, ...] = get_args(Role)  # each has the rights of those before it
_RANKS = {role: place for place, role in enumerate(ROLES)}
MACHINE = 0  # the owner of what no account owns; accounts count from 1
# Topics of verbs: what they change or show may have an owner.
OWNED = frozenset({"library", "jobs", "prep", "account"})


@dataclass(frozen=True)
class Actor:
    """Who sends a request.

    Attributes
    ----------
    account : int
        `MACHINE` for the system.
    role : Role
    scopes : frozenset of Scope
        Of the account, or of the token that is used; in a server, of the connection.
    is_page : bool
        Whether it is signed in by a session, not by a token.
    name : str
        Of the account.
    address : str
        Of its computer; empty for this one.
    """

    account: int
    role: Role
    scopes: frozenset[Scope]
    is_page: bool = False
    name: str = ""
    address: str = ""

    def to_wire(self) -> dict[str, Any]:
        """Return it as the envelope of a request has it."""
        return {
            "account": self.account,
            "name": self.name,
            "role": self.role,
            "address": self.address,
        }

    def has(self, role: Role) -> bool:
        """Return whether it has the rights of a role."""
        return rank(self.role) >= rank(role)


SYSTEM = Actor(MACHINE, "system", SCOPES, name="system")


class _Named(msgspec.Struct):
    """An actor in the envelope of a request; unknown fields are ignored."""

    account: Annotated[int, Meta(ge=MACHINE, le=1 << 62)]
    name: Annotated[str, Meta(max_length=256)]
    role: Role
    address: Annotated[str, Meta(max_length=256)] = ""


_NAMED = msgspec.msgpack.Decoder(_Named)


def actor_of(part: Raw, scopes: frozenset[Scope]) -> Actor:
    """Return the actor that a request names, with the scopes of its connection.

    Raises
    ------
    Refused
        It is not an actor.
    """
    try:
        named = _NAMED.decode(part)
    except UNREADABLE as error:
        raise Refused(f"the actor of a request is invalid: {error}") from None
    if (named.role == "system") is not (named.account == MACHINE):
        raise Refused(f"account {named.account} has the role {named.role}")
    return Actor(named.account, named.role, scopes, name=named.name, address=named.address)


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
    return _RANKS[role]


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
