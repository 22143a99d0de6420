"""``/metrics``: counters of the web process and of the engine, in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from typing import Any

from starlette.responses import Response

from sfa_engine.errors import SfaError
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.link import Link
from sfa_engine.web.rights import Right

TIMEOUT_S = 2.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
MEDIA_TYPE = "text/plain; version=0.0.4"
# Of the engine's `status`: its name there, the metric, its type, what it is.
ENGINE = (
    ("blocks", "sfa_blocks_total", "counter", "Audio blocks that were played."),
    ("late", "sfa_late_blocks_total", "counter", "Audio blocks that were late."),
    ("device_misses", "sfa_device_misses_total", "counter", "Blocks that the device missed."),
    ("load_pct", "sfa_load_percent", "gauge", "Time that a block takes, of its duration."),
)


class Metrics:
    """Counts answers, and shows them.

    Parameters
    ----------
    engine : Link
    """

    def __init__(self, engine: Link) -> None:
        self._engine = engine
        self._answers: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answers[method if method in METHODS else "other", status] += 1
        self._seconds += seconds

    def endpoints(self) -> list[Endpoint]:
        """Return its endpoint."""
        sentence = "Return counters in Prometheus' text format."
        right = Right("read")
        return [Endpoint("GET", "/metrics", sentence, self._show, right=right, is_json=False)]

    async def _show(self, _exchange: Exchange) -> Response:
        lines = _head("sfa_up", "gauge", "Whether the engine answers.")
        try:
            status = await self._engine.call("status", {}, TIMEOUT_S)
        except SfaError:
            lines.append("sfa_up 0")
        else:
            lines.append("sfa_up 1")
            lines += _engine_lines(status["engine"])
        lines += _head("sfa_web_answers_total", "counter", "Answers of the web process.")
        lines += [
            f'sfa_web_answers_total{{method="{method}",status="{status}"}} {number}'
            for (method, status), number in sorted(self._answers.items())
        ]
        lines += _head("sfa_web_seconds_total", "counter", "Time until the answers.")
        lines.append(f"sfa_web_seconds_total {self._seconds:.6f}")
        return Response("\n".join(lines) + "\n", media_type=MEDIA_TYPE)


def _engine_lines(engine: dict[str, Any]) -> list[str]:
    lines = []
    for name, metric, kind, sentence in ENGINE:
        lines += [*_head(metric, kind, sentence), f"{metric} {engine[name]:.15g}"]
    return lines


def _head(metric: str, kind: str, sentence: str) -> list[str]:
    return [f"# HELP {metric} {sentence}", f"# TYPE {metric} {kind}"]
