"""One operation of the API, and the table of all of them. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from sfa_engine.web.catalogue import Described
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.limits import Rate
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Right

Handler = Callable[[Exchange], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """One operation.

    Parameters
    ----------
    method : str
    path : str
        With at most one variable part, the last: ``/api/jobs/{id}``.
    sentence : str
        What it does.
    handler : callable
    body : type, optional
        A struct that the JSON body is.
    statuses : tuple of int
        Of its own problems, besides those that any endpoint may answer with.
    right : Right, optional
        What a sender needs; without one everybody may use it, signed in or not.
    rate : Rate
        How often it may be used.
    is_welcome : bool
        Whether it serves the network before there is a first user.
    verb : Described, optional
        The verb that it calls.
    success : int
        Status of its answer.
    is_json : bool
        Whether that is JSON.
    """

    method: str
    path: str
    sentence: str
    handler: Handler
    body: type[msgspec.Struct] | None = None
    statuses: tuple[int, ...] = ()
    right: Right | None = None
    rate: Rate = Rate.READ
    is_welcome: bool = False
    verb: Described | None = None
    success: int = 200
    is_json: bool = True

    @property
    def has_body(self) -> bool:
        """Whether it takes a JSON body."""
        return self.body is not None or (self.verb is not None and self.method != "GET")

    @property
    def variable(self) -> str:
        """The name of the variable part of its path; empty without one."""
        last = self.path.rpartition("/")[2]
        return last[1:-1] if last.startswith("{") else ""


class Table:
    """Endpoints by path and method.

    Parameters
    ----------
    endpoints : iterable of Endpoint

    Attributes
    ----------
    verbs : dict of str to Described
        The verbs that they call, by their names.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.verbs = {one.verb.name: one.verb for one in self.endpoints if one.verb is not None}
        self._by_path: dict[str, dict[str, Endpoint]] = {}
        for one in self.endpoints:
            path = one.path.rpartition("/")[0] + "/*" if one.variable else one.path
            self._by_path.setdefault(path, {})[one.method] = one

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return the endpoint of a request, and the variable parts of its path.

        Raises
        ------
        Problem
            404 for an unknown path, 405 for another method.
        """
        methods = self._by_path.get(path)
        if methods is None:
            folder, _, last = path.rpartition("/")
            methods = self._by_path.get(f"{folder}/*") if last else None
        if methods is None:
            raise Problem(404, f'no page "{path:.100}"', "see /api for what there is")
        found = methods.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = {*methods, *(["HEAD"] if "GET" in methods else [])}
            names = ", ".join(sorted(allowed))
            raise Problem(405, f"{path:.100} takes {names}", headers={"Allow": names})
        variable = found.variable
        return found, {variable: path.rpartition("/")[2]} if variable else {}
