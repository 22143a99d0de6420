"""Start the configured routes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import SfaError
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.bridge.desk_end import DeskEnd
from sfa_engine.surfaces.bridge.endpoint import Desk, Midi
from sfa_engine.surfaces.bridge.routes import Route, Routes, parse_route
from sfa_engine.surfaces.bridge.settings import BridgeConfig, RouteConfig

logger = logging.getLogger(__name__)
FIRST_CC = 7  # of stem 1, as in the upstream bridge
UPSTREAM_STEMS = 6  # of its 8: the engine has no others


def start_bridge(core: Core, config: BridgeConfig, routes: Sequence[RouteConfig]) -> None:
    """Start the routes, if any; a failure is logged."""
    try:
        parsed = [parse_route(each.begin, each.end) for each in routes]
        parsed += upstream_routes(config.device) if config.upstream else []
    except SfaError as error:
        logger.error("%s", error)  # noqa: TRY400 - one line
        return
    if not parsed:
        return
    router = Routes(parsed, core.raw_bus.send, time.monotonic)
    core.raw_bus.set_router(router.take, router.kinds)
    begins = [each.begin.path for each in parsed if isinstance(each.begin, Desk)]
    if begins or any(isinstance(each.end, Desk) for each in parsed):
        DeskEnd(core.conductor, core.raw_bus, dict.fromkeys(begins))
    logger.info("%d routes between MIDI, OSC and the desk", len(parsed))


def upstream_routes(device: str) -> list[Route]:
    """Return CC 7 to 12 and the stems' volumes of the focused deck, both ways."""
    routes = []
    for number, stem in enumerate(STEMS[:UPSTREAM_STEMS]):
        control = f"control:focus.stem.{stem}.volume"
        routes.append(parse_route(str(Midi(device, "cc", FIRST_CC + number)), control))
        routes.append(parse_route(control, str(Midi(device, "cc", FIRST_CC + number, 1))))
    return routes
