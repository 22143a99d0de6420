"""The application without sockets: hosts, paths, methods, bodies and errors."""

import asyncio
from typing import Annotated

import msgspec
import pytest
from served import asked

from sfa_engine.errors import BusyError, Forbidden, LibraryError, MediaError, Refused
from sfa_engine.web.app import App
from sfa_engine.web.endpoint import Endpoint, Table
from sfa_engine.web.exchange import answer


class Body(msgspec.Struct, forbid_unknown_fields=True):
    level: Annotated[int, msgspec.Meta(ge=0, le=100)]


ERRORS = {
    "refused": Refused("level is 99", "give less"),
    "forbidden": Forbidden("not allowed"),
    "busy": BusyError("busy"),
    "media": MediaError("damaged"),
    "library": LibraryError("disk full"),
    "fault": ZeroDivisionError("x"),
}


async def show(exchange):
    return answer(exchange.path)


async def take(exchange):
    return answer({"level": (await exchange.parsed(Body)).level})


async def fail(exchange):
    raise ERRORS[exchange.path["kind"]]


TABLE = Table(
    [
        Endpoint("GET", "/api/things/{id}", "Show.", show),
        Endpoint("POST", "/api/level", "Take.", take, Body),
        Endpoint("GET", "/api/fail/{kind}", "Fail.", fail),
    ]
)
APP = App(lambda: TABLE, ["sfa.example.org"])


def one(method, path, **of):
    [response] = asked(APP, (method, path, of))
    return response


def test_every_answer_has_the_security_headers():
    for response in (one("GET", "/api/things/7"), one("GET", "/nothing")):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"


def test_a_path_has_a_variable_part():
    assert one("GET", "/api/things/7").json() == {"id": "7"}
    assert one("GET", "/api/things/*").json() == {"id": "*"}
    assert one("HEAD", "/api/things/7").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/things/", "/api/things/7/8", "/api/../etc/passwd"])
def test_an_unknown_path_is_404(path):
    assert one("GET", path).status_code == 404


def test_another_method_is_405_and_names_those_that_are_allowed():
    response = one("DELETE", "/api/things/7")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


def test_another_host_is_421_and_the_setting_is_named():
    response = one("GET", "/api/things/7", headers={"Host": "evil.example"})
    assert response.status_code == 421
    assert "[web]" in response.json()["hint"]
    good = one("GET", "/api/things/7", headers={"Host": "SFA.example.org:80"})
    assert good.status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"level": 3}', 200),
        (b"", 400),
        (b"[", 400),
        (b'{"level": NaN}', 400),
        (b'{"level": 1e999}', 400),
        (b'{"level": "\\ud800"}', 400),
        (b'{"level": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b"3", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"level": "3"}', 422),
        (b'{"level": 1.5}', 422),
        (b'{"level": true}', 422),
        (b'{"level": 3, "more": 1}', 422),
        (b'{"level": ' + b"9" * 30 + b"}", 422),
        (b" " * (1 << 20) + b"{}", 413),
    ],
)
def test_a_body_is_taken_or_refused_as_a_problem(content, status):
    response = one(
        "POST", "/api/level", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == status, response.text
    if status != 200:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status
        assert response.json()["detail"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_type_is_415(kind):
    response = one("POST", "/api/level", content=b"{}", headers={"Content-Type": kind})
    assert response.status_code == 415


def test_a_body_of_unknown_length_is_limited():
    def endless():
        for _ in range(40):
            yield b" " * 65_536

    async def chunks():
        for part in endless():
            yield part
            await asyncio.sleep(0)

    response = one(
        "POST", "/api/level", content=chunks(), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("refused", 422),
        ("forbidden", 403),
        ("busy", 503),
        ("media", 422),
        ("library", 503),
        ("fault", 500),
    ],
)
def test_errors_are_problems_with_their_code(kind, status):
    response = one("GET", f"/api/fail/{kind}")
    assert response.status_code == status
    assert response.json()["code"] == kind
    assert ("retry-after" in response.headers) is (status == 503)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_problem_says_what_to_do():
    problem = one("GET", "/api/fail/refused").json()
    assert (problem["detail"], problem["hint"]) == ("level is 99", "give less")
