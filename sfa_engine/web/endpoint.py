"""One operation of the API, and the table of all of them. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from sfa_engine.web.catalogue import Described
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.limits import Rate
from sfa_engine.web.link import Done
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Right

MAX_VARIABLES = 2
Handler = Callable[[Exchange], Awaitable[Response]]
Starter = Callable[[Exchange, Done], None]


@dataclass(frozen=True)
class Endpoint:
    """One operation.

    Parameters
    ----------
    method : str
    path : str
        Its last parts may be variable, at most two: ``/api/jobs/{id}``, ``/files/{track}/{file}``.
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
    is_page : bool
        Whether it is a part of the web UI, and so no operation of the API.
    verb : Described, optional
        The verb that it calls.
    success : int
        Status of its answer.
    is_json : bool
        Whether that is JSON.
    sends : str
        Media type of its answer, if that is the bytes of files.
    has_parts : bool
        Whether it sends parts of them, and nothing if the client has them.
    start : callable, optional
        Does what the handler does without a task: called with a GET and a function that takes the
        answer, or its error. The answer is no file.
    formats : tuple of str
        Of its answer, by the parameter `format` of the query; the first one without it.
    takes : str
        Media type of its body, if that is no JSON.
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
    is_page: bool = False
    verb: Described | None = None
    success: int = 200
    is_json: bool = True
    sends: str = ""
    has_parts: bool = False
    takes: str = ""
    formats: tuple[str, ...] = ()
    start: Starter | None = None

    @property
    def has_body(self) -> bool:
        """Whether it takes a JSON body."""
        return self.body is not None or (self.verb is not None and self.method != "GET")

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variable parts of its path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


class Table:
    """Endpoints by path and method.

    Parameters
    ----------
    endpoints : iterable of Endpoint

    Attributes
    ----------
    verbs : dict of str to Described
        The verbs that they call, by their names.
    started : dict of str to Endpoint
        Those that need no task, by their paths.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.verbs = {one.verb.name: one.verb for one in self.endpoints if one.verb is not None}
        self.started = {one.path: one for one in self.endpoints if one.start is not None}
        self._by_path: dict[str, dict[str, Endpoint]] = {}
        self._by_folder: dict[tuple[str, int], dict[str, Endpoint]] = {}  # and its variable parts
        for one in self.endpoints:
            if not one.variables:
                self._by_path.setdefault(one.path, {})[one.method] = one
                continue
            folder = one.path.partition("/{")[0]
            self._by_folder.setdefault((folder, len(one.variables)), {})[one.method] = one

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return the endpoint of a request, and the variable parts of its path.

        Raises
        ------
        Problem
            404 for an unknown path, 405 for another method.
        """
        methods = self._by_path.get(path)
        parts: list[str] = []
        if methods is None:
            methods, parts = self._methods(path)
        if methods is None:
            raise Problem(404, f'no page "{path:.100}"', "see /api for what there is")
        found = methods.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = {*methods, *(["HEAD"] if "GET" in methods else [])}
            names = ", ".join(sorted(allowed))
            raise Problem(405, f"{path:.100} takes {names}", headers={"Allow": names})
        return found, dict(zip(found.variables, parts, strict=True)) if parts else {}

    def _methods(self, path: str) -> tuple[dict[str, Endpoint] | None, list[str]]:
        """Return the endpoints of a path by method, and the parts that are variable there."""
        for count in range(1, MAX_VARIABLES + 1):
            folder, *parts = path.rsplit("/", count)
            methods = self._by_folder.get((folder, count))
            if methods is not None and len(parts) == count and all(parts):
                return methods, parts
        return None, []
