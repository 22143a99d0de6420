"""Verbs by inspection: what an object can do becomes what a client may ask for. Pure.

``deck_load`` is ``deck.load`` on the socket; its parameters are the request's.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args

from sfa_engine.errors import Refused, SfaError, did_you_mean
from sfa_engine.wire.messages import Request

_KINDS: dict[Any, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "nothing",
}
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


@functools.lru_cache(maxsize=1024)
def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a function's parameters without the object that it is bound to."""
    known = inspect.signature(function, eval_str=True).parameters
    return {name: parameter for name, parameter in known.items() if name != "self"}


def _kinds(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """Return the plain types that a parameter is annotated with; none where anything may come."""
    kinds = get_args(parameter.annotation) or (parameter.annotation,)
    return kinds if all(kind in _KINDS for kind in kinds) else ()


def _fits(value: Any, parameter: inspect.Parameter) -> bool:
    """Return whether a value is of an annotated type; a whole number is a number too."""
    kinds = _kinds(parameter)
    if not kinds:
        return True
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return type(value) in kinds or (type(value) is int and float in kinds)


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
        No such verb; a parameter is missing, unknown, or of another type than is annotated.
    """
    method = verbs.get(request.method)
    if method is None:
        raise Refused(f'no method "{request.method:.60}"', did_you_mean(request.method, verbs))
    wanted = _parameters(getattr(method, "__func__", method))
    params = {**request.params, **{k: v for k, v in given.items() if k in wanted}}
    for name in params:
        if name not in wanted:
            takes = [known for known in wanted if known not in given]
            hint = did_you_mean(name, takes) or f"it takes {', '.join(takes) or 'nothing'}"
            raise Refused(f'{request.method} takes no "{name:.60}"', hint)
    for name, parameter in wanted.items():
        if name not in params and parameter.default is parameter.empty:
            raise Refused(f"{request.method} needs {name}")
        if name in request.params and not _fits(request.params[name], parameter):
            kinds = " or ".join(_KINDS[kind] for kind in _kinds(parameter))
            raise Refused(f"{name} is {request.params[name]!r:.60}", f"give {kinds}")
    return lambda: method(**params)
