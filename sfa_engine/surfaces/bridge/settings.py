"""The configuration of routes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sfa_engine.errors import Refused, did_you_mean

MAX_ROUTES = 256
_KEYS = ("from", "to")


@dataclass(frozen=True)
class BridgeConfig:
    """``[bridge]``.

    Parameters
    ----------
    upstream : bool
        Whether CC 7 to 12 are the stems' volumes of the focused deck, both ways.
    device : str
        Part of the name, or pattern, of its devices.
    """

    upstream: bool = False
    device: str = "*"


@dataclass(frozen=True)
class RouteConfig:
    """One ``[[route]]``: its ends ``from`` and ``to``."""

    begin: str
    end: str


def read_routes(values: Any) -> tuple[RouteConfig, ...]:
    """Parse ``[[route]]``.

    Raises
    ------
    Refused
        Not a list of tables with two texts, or a route is invalid.
    """
    from sfa_engine.surfaces.bridge.routes import parse_route

    if not isinstance(values, list) or len(values) > MAX_ROUTES:
        raise Refused("route is not a list of tables", f"write [[route]], {MAX_ROUTES} at most")
    routes = []
    for number, each in enumerate(values, 1):
        name = f"route {number}"
        if not isinstance(each, dict):
            raise Refused(f"{name} is not a table", "write [[route]] above its keys")
        for key in each:
            if key not in _KEYS:
                raise Refused(f'{name}: no key "{key:.40}"', did_you_mean(key, _KEYS))
        for key in _KEYS:
            if not isinstance(each.get(key), str):
                raise Refused(f"{name}: {key} is not a text", f'give {key} = "midi:DEVICE cc 7"')
        route = RouteConfig(each["from"], each["to"])
        parse_route(route.begin, route.end)
        routes.append(route)
    return tuple(routes)
