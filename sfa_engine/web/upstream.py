"""Paths by which other programs of this kind are asked, on the verbs that do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import Response

from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer, number_in
from sfa_engine.web.limits import Rate
from sfa_engine.web.named_verbs import NamedVerbs
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Right

Number = Annotated[int, Meta(ge=1, le=1 << 62)]
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Url = Annotated[str, Meta(min_length=1, max_length=4096)]
_READ, _PREPARE = Right("read"), Right("prepare")


class Download(msgspec.Struct, forbid_unknown_fields=True):
    """A link, and the quality: 128k to 320k, or best."""

    url: Url
    quality: Word | None = None


class Separate(msgspec.Struct, forbid_unknown_fields=True):
    """A track of the library, and how it is separated."""

    track: Number
    engine: Word | None = None
    model: Word | None = None


class Track(msgspec.Struct, forbid_unknown_fields=True):
    """A track of the library."""

    track: Number


class Job(msgspec.Struct, forbid_unknown_fields=True):
    """A job."""

    job: Number


class Upstream:
    """The endpoints.

    Parameters
    ----------
    verbs : NamedVerbs
        Of backstage.
    """

    def __init__(self, verbs: NamedVerbs) -> None:
        self._verbs = verbs

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        return [
            self._post("/api/download/track", "Download a link's tracks.", Download, _download),
            self._post(
                "/api/processing/separate", "Separate a track of the library.", Separate, _separate
            ),
            self._post("/api/analysis/analyze", "Analyse a track again.", Track, _analyse),
            self._post("/api/lalalai/cancel", "Cancel a job.", Job, _cancel),
            *(
                Endpoint(
                    "GET",
                    f"/api/{topic}/job/{{id}}",
                    "Show a job.",
                    self._job,
                    statuses=(404, 500, 502, 503),
                    right=_READ,
                )
                for topic in ("download", "processing", "analysis")
            ),
            Endpoint(
                "GET",
                "/api/lalalai/quota",
                "Show what is left of the LALAL.AI licence.",
                self._quota,
                statuses=(422, 500, 502, 503),
                right=_PREPARE,
                rate=Rate.HEAVY,
            ),
            Endpoint(
                "GET",
                "/api/processing/models",
                "List the engines of separation and their models.",
                self._models,
                statuses=(500, 502, 503),
                right=_READ,
            ),
            Endpoint(
                "POST",
                "/api/lalalai/cancel-all",
                "Cancel all separations by LALAL.AI.",
                self._cancel_all,
                statuses=(500, 502, 503),
                right=_PREPARE,
                rate=Rate.CHANGE,
            ),
            Endpoint(
                "POST",
                "/api/daw/export",
                "Not there yet: export to a DAW.",
                _daw_export,
                statuses=(501,),
                right=_PREPARE,
                rate=Rate.CHANGE,
            ),
        ]

    def _post(
        self,
        path: str,
        sentence: str,
        body: type[msgspec.Struct],
        request: Callable[[Any], tuple[str, dict[str, Any]]],
    ) -> Endpoint:
        async def handle(exchange: Exchange) -> Response:
            name, params = request(await exchange.parsed(body))
            return answer(await self._call(exchange, name, params), 202)

        return Endpoint(
            "POST",
            path,
            sentence,
            handle,
            body,
            statuses=(404, 409, 500, 501, 502, 503),
            right=_PREPARE,
            rate=Rate.HEAVY,
            success=202,
        )

    async def _job(self, exchange: Exchange) -> Response:
        number = number_in(exchange.path["id"], "job")
        return answer(await self._verbs.show(exchange.actor, "jobs.show", {"job": number}))

    async def _quota(self, exchange: Exchange) -> Response:
        return answer(await self._call(exchange, "prep.quota", {}))

    async def _models(self, exchange: Exchange) -> Response:
        return answer(await self._call(exchange, "prep.models", {}))

    async def _cancel_all(self, exchange: Exchange) -> Response:
        return answer(await self._call(exchange, "prep.cancel", {"engine": "lalalai"}))

    async def _call(self, exchange: Exchange, name: str, params: Mapping[str, Any]) -> Any:
        return await self._verbs.call(exchange.actor, name, params)


def _download(body: Download) -> tuple[str, dict[str, Any]]:
    return "prep.add", {"sources": [body.url], "quality": body.quality}


def _separate(body: Separate) -> tuple[str, dict[str, Any]]:
    return "prep.separate", {"track": body.track, "engine": body.engine, "model": body.model}


def _analyse(body: Track) -> tuple[str, dict[str, Any]]:
    return "library.reanalyse", {"words": f"#{body.track}"}


def _cancel(body: Job) -> tuple[str, dict[str, Any]]:
    return "jobs.cancel", {"jobs": [body.job]}


async def _daw_export(_exchange: Exchange) -> Response:
    hint = "use the files of the stems in the library's folder meanwhile"
    raise Problem(501, "exports to a DAW are not there yet", hint)
