"""``/api/engine/history``: the load of the audio thread over the last hour, kept in memory.

The engine's peak falls within about a second, so it is asked every second; one point is kept for
ten of them: 360 points, ca. 50 kB.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from starlette.responses import Response

from sfa_engine.errors import SfaError
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.link import Link
from sfa_engine.web.rights import Right

SPAN_S = 3600
PERIOD_S = 10
ASK_S = 1.0
TIMEOUT_S = 2.0
MAX_LOADS = 40  # tracks put on decks that are remembered


class EngineHistory:
    """Asks the engine, keeps what it says, and shows it.

    Parameters
    ----------
    engine : Link
    """

    def __init__(self, engine: Link) -> None:
        self._engine = engine
        self._points: deque[dict[str, float]] = deque(maxlen=SPAN_S // PERIOD_S)
        self._loads: deque[dict[str, Any]] = deque(maxlen=MAX_LOADS)
        self._titles: dict[int, str] = {}
        self._open: list[tuple[float, float]] = []  # load and worst of the point that grows
        self._began_s = 0.0

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoint."""
        sentence = "Show the load of the audio thread over the last hour, and the tracks loaded."
        right = Right("admin", least="admin")
        return [Endpoint("GET", "/api/engine/history", sentence, self._show, right=right)]

    async def run(self) -> None:
        """Ask until it is cancelled; a time without an engine leaves a gap."""
        while True:
            await asyncio.sleep(ASK_S)
            try:
                status = await self._engine.call("status", {}, TIMEOUT_S)
            except SfaError:
                self._open.clear()
            else:
                self.add(status, time.time())

    def add(self, status: dict[str, Any], at_s: float) -> None:
        """Take an answer of ``status`` at a time, in seconds since 1970."""
        if self._open and not 0.0 <= at_s - self._began_s < PERIOD_S:
            loads, worst = zip(*self._open, strict=True)
            self._points.append(
                {
                    "at_s": round(self._began_s, 1),
                    "load_pct": round(sum(loads) / len(loads), 2),
                    "worst_pct": round(max(worst), 2),
                }
            )
            self._open.clear()
        if not self._open:
            self._began_s = at_s
        engine = status["engine"]
        self._open.append((float(engine["load_pct"]), float(engine["worst_pct"])))
        for number, deck in enumerate(status["decks"], 1):
            title = str(deck.get("title") or "")
            if title and self._titles.get(number, title) != title:
                self._loads.append({"at_s": round(at_s, 1), "deck": number, "title": title})
            self._titles[number] = title

    def shown(self, now_s: float) -> dict[str, Any]:
        """Return the points and the loaded tracks of the last hour, the oldest first."""
        since_s = now_s - SPAN_S
        return {
            "span_s": SPAN_S,
            "period_s": PERIOD_S,
            "points": [each for each in self._points if each["at_s"] >= since_s],
            "loads": [each for each in self._loads if each["at_s"] >= since_s],
        }

    async def _show(self, _exchange: Exchange) -> Response:
        return answer(self.shown(time.time()))
