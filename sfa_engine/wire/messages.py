"""Messages in the shapes of MessagePack-RPC. Pure.

============================ =================
``[0, id, method, params]``  request
``[1, id, error, result]``   answer
``[2, method, params]``      notice
============================ =================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sfa_engine.errors import Refused, SfaError

REQUEST, ANSWER, NOTICE = 0, 1, 2
MOST_ID = 1 << 63
MOST_SAID = 1000  # characters of an error: more than we write, less than it may quote


@dataclass(frozen=True)
class Request:
    """Something asked for."""

    id: int
    method: str
    params: dict[str, Any]


def parse_request(message: Any) -> Request:
    """Return the request that a message is.

    Raises
    ------
    Refused
        It has another shape; what is wrong is named.
    """
    if not isinstance(message, list) or len(message) != 4 or message[0] != REQUEST:
        raise Refused("a message is not a request", "send [0, id, method, params]")
    _, number, method, params = message
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < MOST_ID:
        raise Refused(f"the id {number!r:.60} is not a whole number from 0")
    if not isinstance(method, str):
        raise Refused(f"the method {method!r:.60} is not a text")
    if isinstance(params, list) and len(params) == 1 and isinstance(params[0], dict):
        params = params[0]
    if params is None or params == []:
        params = {}
    if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
        raise Refused(f"the params of {method} are not a map of names", "send a map")
    return Request(number, method, params)


def answer(number: int | None, result: Any) -> list[Any]:
    """Return an answer."""
    return [ANSWER, number, None, result]


def failure(number: int | None, error: SfaError) -> list[Any]:
    """Return an answer that says no; it fits a frame, whatever the error quotes."""
    said = {"code": error.code, "message": _short(error.message), "hint": _short(error.hint)}
    return [ANSWER, number, said, None]


def _short(text: str) -> str:
    """Return a text that can be sent: a name of a file may hold what UTF-8 has no bytes for."""
    return text[:MOST_SAID].encode("utf-8", "replace").decode()


def notice(method: str, params: Any) -> list[Any]:
    """Return a message that nobody asked for."""
    return [NOTICE, method, params]
