"""Errors of the web process as RFC 9457 documents. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from sfa_engine.errors import (
    Absent,
    BusyError,
    DeviceError,
    EngineError,
    FaultError,
    Forbidden,
    LibraryError,
    Locked,
    MediaError,
    Planned,
    ProtocolError,
    Refused,
    SfaError,
    WorkerError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_S = 2  # for a process that is restarted
# As RFC 9110 has them; the names and phrases of older and newer Pythons differ.
_TITLES = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
_CODES = {
    413: "request_entity_too_large",
    416: "requested_range_not_satisfiable",
    422: "unprocessable_entity",
}
# The most derived first: a `Forbidden` is a `Refused`.
_STATUSES: tuple[tuple[type[SfaError], int], ...] = (
    (Forbidden, 403),
    (Absent, 404),
    (Locked, 409),
    (Planned, 501),
    (ProtocolError, 502),
    (Refused, 422),
    (MediaError, 422),
    (WorkerError, 502),
    (FaultError, 500),
    (BusyError, 503),
    (DeviceError, 503),
    (EngineError, 503),
    (LibraryError, 503),
)


class Problem(Exception):  # noqa: N818 - it is an answer, not a fault
    """An answer with an error.

    Parameters
    ----------
    status : int
        Of HTTP.
    detail : str
        One line: what is wrong, and with which value.
    hint : str
        What to do about it.
    code : str
        For programs; derived from the status by default.
    headers : mapping, optional
        Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        hint: str = "",
        *,
        code: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.code = code or _CODES.get(status) or HTTPStatus(status).name.lower()
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, error: SfaError) -> Problem:
        """Return the answer to a request that raised an error of ours."""
        status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
        headers = {"Retry-After": str(RETRY_S)} if status == 503 else None
        said = error.to_wire()
        return cls(status, said["message"], said["hint"], code=said["code"], headers=headers)

    def response(self) -> Response:
        """Return it as a document."""
        document = {
            "type": "about:blank",
            "title": _TITLES.get(self.status) or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            "code": self.code,
        }
        body = msgspec.json.encode(document)
        return Response(body, self.status, self.headers, MEDIA_TYPE)


def described(error: Problem | SfaError) -> dict[str, str]:
    """Return an error as a message of the channel has it."""
    problem = error if isinstance(error, Problem) else Problem.of(error)
    return {"code": problem.code, "message": problem.detail, "hint": problem.hint}
