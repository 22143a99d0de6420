"""Calls verbs from inside backstage for an actor: types, scopes, roles and audit as over a socket.

The web process checks roles before it sends a request on; what is called from here has not passed
it, so the same rule is applied here.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import Any

import msgspec

from sfa_engine.backstage.audit import Auditor
from sfa_engine.errors import Forbidden, Refused, did_you_mean
from sfa_engine.wire import frames
from sfa_engine.wire.rights import MACHINE, OWNED, Actor, Right, may
from sfa_engine.wire.verbs import Bound, Scope, Verb

FOR_ADMINS = frozenset({"force", "watch", "priority"})  # parameters, whatever their scope


class VerbCaller:
    """Calls verbs.

    Parameters
    ----------
    verbs : mapping
        By name.
    auditor : Auditor
    """

    def __init__(self, verbs: Mapping[str, Bound], auditor: Auditor) -> None:
        self._verbs = verbs
        self._auditor = auditor

    def check(self, actor: Actor, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parsed parameters of a call that an actor may make.

        Raises
        ------
        Refused
            There is no such verb, or a parameter is invalid.
        Forbidden
            The actor may not.
        """
        given = self.parse(name, params)
        check_right(self._verbs[name].verb, actor, given)
        return given

    def parse(self, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parsed parameters of a call; Refused if they are invalid."""
        body = frames.pack(dict(params))[frames.HEADER.size :]
        return self._bound(name).verb.parse(msgspec.Raw(body))

    def _bound(self, name: str) -> Bound:
        bound = self._verbs.get(name)
        if bound is None:
            raise Refused(f'no verb "{name:.60}"', did_you_mean(name, self._verbs))
        return bound

    async def call(self, actor: Actor, surface: str, name: str, params: Mapping[str, Any]) -> Any:
        """Call a verb; return its result as a client gets it.

        Parameters
        ----------
        actor : Actor
        surface : str
            As the audit log shows it.
        name : str
        params : mapping

        Raises
        ------
        SfaError
            As `check`, and what the verb raises.
        """
        given = self.check(actor, name, params)
        bound = self._verbs[name]
        if "actor" in bound.verb.given:
            given["actor"] = actor
        result = self._auditor.around(bound.verb, actor, given, lambda: bound(**given), surface)
        if isawaitable(result):
            result = await result
        return frames.unpack(frames.pack(result)[frames.HEADER.size :])


def check_right(verb: Verb, actor: Actor, params: Mapping[str, Any]) -> None:
    """Refuse a call that an actor may not make.

    Raises
    ------
    Forbidden
        A scope or a role is missing.
    """
    verb.check_scopes(actor.scopes, params)
    if actor.has("admin"):
        return
    is_owned = verb.name.partition(".")[0] in OWNED

    def right(scope: Scope) -> Right:
        return Right(scope, is_owned)

    # What looks at owners itself is judged there, by the same rule.
    owner = actor.account if verb.declared.owned else MACHINE
    if not may(actor, right(verb.declared.scope), owner):
        hint = "ask an admin: what is there already is the machine's, not yours"
        raise Forbidden(f"{verb.name} is not allowed", hint)
    for name, value in params.items():
        if name not in verb.types or value == verb.defaults.get(name):
            continue
        scope = verb.declared.restricted.get(name)
        if name in FOR_ADMINS or (scope is not None and not may(actor, right(scope), MACHINE)):
            raise Forbidden(f"{name} of {verb.name} needs the role admin", "leave it out")
