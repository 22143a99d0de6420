"""Verbs by inspection: what an object can do becomes what a client may ask for. Pure.

``deck_load`` is ``deck.load`` on the socket; its parameters are the request's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.wire.messages import Request

Verbs = Mapping[str, Callable[..., Any]]


class FaultError(SfaError):
    """A fault of ours that a request brought to light; its trace is in the log."""

    code = "fault"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"a fault in the engine: {type(error).__name__}: {error}", "see `sfa log`; report it"
        )


def exported(core: object, hidden: Collection[str] = ()) -> dict[str, Callable[..., Any]]:
    """Return an object's public methods by their names on the socket."""
    return {
        name.replace("_", ".", 1): method
        for name, method in inspect.getmembers(core, inspect.ismethod)
        if not name.startswith("_") and name not in hidden
    }


def bind(verbs: Verbs, request: Request, given: Mapping[str, Any]) -> Callable[[], Any]:
    """Return the call that a request asks for.

    Parameters
    ----------
    verbs : mapping
    request : Request
    given : mapping
        Parameters that the server gives to verbs that take them, and clients cannot.

    Raises
    ------
    Refused
        No such verb; a parameter is missing, unknown, or not a text where it is a path.
    """
    method = verbs.get(request.method)
    if method is None:
        raise Refused(f'no method "{request.method:.60}"', did_you_mean(request.method, verbs))
    wanted = inspect.signature(method).parameters
    params = {**request.params, **{k: v for k, v in given.items() if k in wanted}}
    for name in params:
        if name not in wanted:
            takes = [known for known in wanted if known not in given]
            hint = did_you_mean(name, takes) or f"it takes {', '.join(takes) or 'nothing'}"
            raise Refused(f'{request.method} takes no "{name:.60}"', hint)
    for name, parameter in wanted.items():
        if name not in params and parameter.default is parameter.empty:
            raise Refused(f"{request.method} needs {name}")
        if name == "path" and not isinstance(params.get(name, ""), str):
            raise Refused(f"path is {params[name]!r:.60}, not a text")
    return lambda: method(**params)
