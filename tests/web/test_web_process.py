"""The web process: over TCP, killed, and beside the engine."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress

import httpx
import pytest
from engine_process import show
from house import house, song
from osc_client import free_port
from served import received, web_process

from sfa_engine.system.process_lock import lock_holder
from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.listener import MAX_HEADER_BYTES, MAX_OF_ONE
from sfa_engine.web.rights import SYSTEM
from sfa_engine.wire.verbs import SCOPES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with web_process(tmp_path_factory.mktemp("web")) as running:
        yield running


def test_without_an_engine_the_health_is_down(web):
    with web.client() as client:
        response = client.get("/health")
    assert response.status_code == 503
    assert response.json()["health"] == "down"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET /\xff HTTP/1.1\r\nHost: pi\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: pi\r\nX: " + b"a" * (MAX_HEADER_BYTES + 70_000), b"431"),
        (b"GET /" + b"a" * (MAX_HEADER_BYTES + 70_000), b"431"),
    ],
)
def test_what_is_no_request_is_a_problem(web, request_bytes, status):
    with web.connect() as connection:
        said = received(connection, request_bytes)
    assert said.startswith(b"HTTP/1.1 " + status), said[:200]
    assert b"application/problem+json" in said
    assert b"default-src 'none'" in said
    assert "Traceback" not in web.log()


def test_half_open_connections_are_bounded_and_leave_room_again(web):
    lent = [web.connect() for _ in range(MAX_OF_ONE + 40)]
    for each in lent[:-1]:
        each.close()
    lent[-1].close()
    give_up = time.monotonic() + 30
    answered = None
    while answered is None and time.monotonic() < give_up:
        with suppress(httpx.TransportError), web.client() as client:
            answered = client.get("/health").status_code
    assert answered == 503


def test_a_port_that_is_taken_is_said(web, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sfa_engine.run.web_process"),
            *("--runtime", tmp_path, "--data", tmp_path, "--log", tmp_path),
            *("--settings", f'{{"port": {web.port}}}'),
        ],
        check=False,
    )
    assert done.returncode == 1
    assert "set another port in [web]" in (tmp_path / "web.log").read_text()


def test_the_process_imports_no_plane_and_no_numpy():
    heavy = ("numpy", "trio", "sfa_engine.stage", "sfa_engine.library", "sfa_engine.engine")
    code = (
        "import sys, sfa_engine.run.web_process\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_killed_web_process_comes_back_and_the_engine_plays_on():
    port = free_port()
    address = f"http://127.0.0.1:{port}/health"
    with show({}, "none", f"[web]\nport = {port}\n", "--web") as engine:

        def health():
            give_up = time.monotonic() + 60
            while time.monotonic() < give_up:
                try:
                    return httpx.get(address, trust_env=False, timeout=30.0).json()
                except httpx.TransportError:
                    time.sleep(0.02)
            raise AssertionError(engine.state())

        assert health()["health"] in {"ok", "degraded"}
        with engine.connect() as client:
            before = client.call("status")["engine"]["blocks"]
            lock = engine.runtime / "web.lock"
            pid = lock_holder(lock)
            os.kill(pid, signal.SIGKILL)
            assert health()["health"] in {"ok", "degraded"}
            assert lock_holder(lock) != pid
            assert client.call("status")["engine"]["blocks"] > before
            reasons = client.call("health")["reasons"]
            assert any("web was restarted: SIGKILL" in reason for reason in reasons)


def test_a_killed_web_process_forgets_no_user_session_or_token(tmp_path):
    with web_process(tmp_path) as web:
        with closing(open_database(tmp_path / FILE)) as accounts, transaction(accounts):
            secret = secrets.add_link(accounts, None)
        with web.client() as page:
            page.headers["Origin"] = f"http://127.0.0.1:{web.port}"
            given = {"secret": secret, "name": "ann", "password": "correct horse"}
            page.post("/api/auth/use_link", json=given).raise_for_status()
            new = {"name": "lamp", "scopes": ["read"]}
            token = page.post("/api/auth/tokens", json=new).json()["secret"]
            cookie = page.cookies[f"sfa_session_{web.port}"]
        web.kill()
        web.settings["port"] = web.port  # the cookie's
        web.start()
        with web.client(cookies={f"sfa_session_{web.port}": cookie}) as page:
            assert page.get("/api/auth/me").json()["name"] == "ann"
        with web.client(headers={"Authorization": f"Bearer {token}"}) as program:
            assert program.get("/api/auth/me").json()["scopes"] == ["read"]


def test_requests_reach_a_real_backstage(tmp_path):
    with (
        house(tmp_path / "house") as here,
        here.start(),
        web_process(tmp_path, runtime=here.runtime) as web,
    ):
        with closing(open_database(tmp_path / FILE)) as accounts, transaction(accounts):
            ann = users.add(accounts, SYSTEM, "ann", "admin")
            users.set_password(accounts, ann.id, "hash")
            token, _ = secrets.add_token(accounts, ann, "t", sorted(SCOPES), None)
        with web.client(headers={"Authorization": f"Bearer {token}"}) as program:
            give_up = time.monotonic() + 60
            while program.get("/api/library/search").status_code == 503:
                assert time.monotonic() < give_up
            assert program.get("/api/library/search", params={"limit": 5}).json()["tracks"] == []
            wrong = program.get("/api/library/search", params={"limit": 0})
            assert wrong.status_code == 422
            assert "limit is 0" in wrong.json()["detail"]
            unknown = program.get("/api/library/search", params={"limits": 1})
            assert unknown.status_code == 422
            assert 'did you mean "limit"?' in unknown.json()["hint"]
            song(tmp_path / "song.wav", seconds=3.0)
            body = {"sources": [str(tmp_path / "song.wav")], "engine": "none"}
            added = program.post("/api/prep/add", json=body).json()
            job = f"/api/download/job/{added['jobs'][0]}"
            assert program.get(job).json()["kind"] == "import"
            assert program.get("/api/download/job/999999").status_code == 404
            document = program.get("/api/openapi.json").json()
            assert "/api/library/edit" in document["paths"]
            here.kill()
            away = program.get("/api/library/search")
            assert away.status_code == 503
            with here.start():
                assert program.get("/api/library/search").status_code == 200
