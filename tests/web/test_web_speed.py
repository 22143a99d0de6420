"""What an answer costs: no waiting for the network, no search of the accounts each time."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

import httpx
import pytest
from served import HASH, Echo, received, run_site, web_process

from sfa_engine.errors import EngineError
from sfa_engine.web import app, listener, secrets, users
from sfa_engine.web.actors import KEPT_S, Actors
from sfa_engine.web.app import App
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.endpoint import Endpoint, Table
from sfa_engine.web.link import Link
from sfa_engine.web.open_file import open_below
from sfa_engine.web.ranges import Span
from sfa_engine.web.rights import SYSTEM
from sfa_engine.web.sending import FilePart

REQUESTS = 50


def session_of(connection):
    made = users.add(connection, SYSTEM, "ann", "admin")
    users.set_password(connection, made.id, HASH)
    return secrets.begin_session(connection, made.id, "127.0.0.1", "tests")


@pytest.mark.slow
def test_a_body_does_not_wait_until_its_head_is_confirmed(tmp_path):
    """With Nagle's algorithm each answer on a kept connection took 44 ms."""
    with web_process(tmp_path) as web, web.client() as client:
        client.get("/welcome")
        took_s = []
        for _ in range(REQUESTS):
            began_s = time.monotonic()
            assert client.get("/welcome").status_code == 200
            took_s.append(time.monotonic() - began_s)
    assert min(took_s[1:]) < 0.03, took_s  # the quickest, whatever else runs


@pytest.mark.slow
def test_head_and_body_come_in_one_packet(tmp_path):
    with web_process(tmp_path) as web, closing(web.connect()) as connection:
        for _ in range(REQUESTS):
            connection.sendall(b"GET /welcome HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            said = connection.recv(1 << 16)
            head, _, body = said.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert body.rstrip().endswith(b"</html>")


@pytest.mark.slow
def test_an_answer_in_one_call_is_the_one_by_messages(tmp_path):
    """A short answer takes a way of its own; `Connection: close` and HEAD do not."""
    with web_process(tmp_path) as web, web.client() as client:
        kept = client.get("/api/openapi.json")
        closed = client.get("/api/openapi.json", headers={"Connection": "close"})
        head = client.head("/api/openapi.json")
    assert kept.content == closed.content
    assert not head.content
    for other in (closed, head):
        fields = {name: value for name, value in other.headers.items() if name != "connection"}
        assert fields == dict(kept.headers)
    assert "default-src 'none'" in kept.headers["content-security-policy"]


def test_what_another_process_writes_counts_at_the_next_request(tmp_path):
    path = tmp_path / FILE
    with closing(open_database(path)) as writer, closing(open_database(path)) as reader:
        searched = []

        def find(connection, secret):
            searched.append(secret)
            return secrets.actor_of_session(connection, secret)

        with transaction(writer):
            secret = session_of(writer)
        actors = Actors(reader)
        for _ in range(3):
            actor, _ = actors.find(find, secret)
            assert actor.name == "ann"
        assert len(searched) == 1
        with transaction(writer):
            users.set_role(writer, SYSTEM, "ann", "moderator")
        assert actors.find(find, secret)[0].role == "moderator"
        with transaction(writer):
            users.set_status(writer, SYSTEM, "ann", "suspended")
        assert actors.find(find, secret) is None


def test_a_secret_that_expires_is_no_longer_known(tmp_path, monkeypatch):
    with closing(open_database(tmp_path / FILE)) as connection:
        with transaction(connection):
            secret = session_of(connection)
        actors = Actors(connection)
        assert actors.find(secrets.actor_of_session, secret)
        monkeypatch.setattr(secrets, "SESSION_IDLE_S", -1.0)
        assert actors.find(secrets.actor_of_session, secret)
        now_s = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now_s + 2 * KEPT_S)
        assert actors.find(secrets.actor_of_session, secret) is None


def test_requests_are_sent_in_order_while_the_connection_is_opened(tmp_path):
    async def main():
        server = Echo(tmp_path / "s.sock", [])
        listens = asyncio.Event()
        serving = asyncio.create_task(server.run(listens.set))
        await listens.wait()
        link = Link(server.path, "the engine")
        calls = []
        for number in range(200):
            calls.append(asyncio.create_task(link.call("set", {"number": number})))
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        assert [params["number"] for _, params in server.asked] == list(range(200))
        await link.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_a_server_that_does_not_answer_is_given_up_and_others_are_served(tmp_path):
    class Slow(Echo):
        def _answer(self, method, params, actor):
            if method == "slow":
                time.sleep(0.3)
            return super()._answer(method, params, actor)

    async def main():
        server = Slow(tmp_path / "s.sock", [])
        listens = threading.Event()
        ended = asyncio.Event()

        async def serve():
            loops.append(asyncio.get_running_loop())
            serving = asyncio.create_task(server.run(listens.set))
            await ended.wait()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

        loops = []
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        await asyncio.to_thread(listens.wait, 20.0)
        link = Link(server.path, "the server")
        assert (await link.call("quick", {"a": 1}))["params"] == {"a": 1}
        with pytest.raises(EngineError, match=r"the server did not answer within 0\.1 s"):
            await link.call("slow", {}, 0.1)
        both = await asyncio.gather(*(link.call("quick", {"n": n}) for n in range(20)))
        assert [each["params"]["n"] for each in both] == list(range(20))
        big = "x" * 1_000_000  # more than a socket takes at once
        many = [link.call("quick", {"text": big}) for _ in range(5)]
        assert all(each["params"]["text"] == big for each in await asyncio.gather(*many))
        loops[0].call_soon_threadsafe(ended.set)
        await link.wait_closed()
        await asyncio.to_thread(thread.join, 20.0)
        with pytest.raises(EngineError, match="is not running"):
            await link.call("quick", {})
        await link.close()

    asyncio.run(main())


def test_a_connection_that_is_lost_fails_what_waits(tmp_path):
    async def main():
        async def take(reader, writer):
            await reader.read(100)
            writer.close()

        server = await asyncio.start_unix_server(take, tmp_path / "s.sock")
        link = Link(tmp_path / "s.sock", "the server")
        with pytest.raises(EngineError, match="the server closed the connection"):
            await link.call("x", {})
        server.close()
        await link.close()

    asyncio.run(main())


def test_a_server_that_reads_nothing_is_given_up(tmp_path):
    async def main():
        go_on = asyncio.Event()

        async def ignore(_reader, writer):
            await go_on.wait()
            writer.close()

        server = await asyncio.start_unix_server(ignore, tmp_path / "s.sock", limit=1)
        link = Link(tmp_path / "s.sock", "the server")
        text = "x" * 1_000_000
        asked = (link.call("x", {"text": text}, 0.2) for _ in range(4))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert all("did not answer" in str(each) for each in found), found
        go_on.set()
        server.close()
        await link.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_disconnected(tmp_path, monkeypatch):
    """Its file is closed; others are served meanwhile."""
    monkeypatch.setattr(listener, "STALL_MS", 500)
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(64 << 20)
    opened = []

    async def send(_exchange):
        opened.append(open_below(str(tmp_path), "long.wav"))
        return FilePart(opened[-1], Span(0, 64 << 20), threads, 200, {}, "audio/wav", lambda: None)

    def ask():
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.settimeout(20.0)
        connection.connect(listener.address_of(sockets))
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return connection

    async def main():
        serving = asyncio.create_task(listener.serve(App(lambda: table), sockets))
        stalled = await asyncio.to_thread(ask)
        reading = await asyncio.to_thread(ask)
        said = await asyncio.to_thread(received, reading, b"")
        assert len(said) > 64 << 20
        give_up_s = time.monotonic() + 20.0
        while not all(each._file.closed for each in opened):
            assert time.monotonic() < give_up_s
            await asyncio.sleep(0.05)
        stalled.close()
        reading.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    table = Table([Endpoint("GET", "/x", "Send a file.", send)])
    sockets = listener.listen_tcp("127.0.0.1", 0)
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(main())
    assert len(opened) == 2


READ = {
    "name": "status",
    "sentence": "Return the state.",
    "scope": "read",
    "slow": False,
    "params": [{"name": "deck", "type": {"type": "integer"}, "required": False, "default": None}],
}


@asynccontextmanager
async def served_at(service):
    """Serve a service over TCP; yields its address."""
    sockets = listener.listen_tcp("127.0.0.1", 0)
    host, port = listener.address_of(sockets)
    serving = asyncio.create_task(listener.serve(service.app, sockets))
    try:
        yield f"http://{host}:{port}"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def test_a_read_of_the_engine_takes_no_task(tmp_path):
    """Task and wake-ups were a fifth of its cost."""

    async def scenario(site):
        token = site.user("ann", "user")
        headers = {"Authorization": f"Bearer {token}"}
        made = []

        def make(loop, coroutine, **named):
            made.append(coroutine.__qualname__)
            return asyncio.Task(coroutine, loop=loop, **named)

        async with (
            served_at(site.service) as address,
            httpx.AsyncClient(base_url=address, headers=headers) as client,
        ):
            first = await client.get("/api/status")  # marks the token's use, opens the link
            asyncio.get_running_loop().set_task_factory(make)
            for deck in range(5):
                found = await client.get("/api/status", params={"deck": deck})
                assert found.json()["params"] == {"deck": deck}
            asyncio.get_running_loop().set_task_factory(None)
        assert first.json()["method"] == "status"
        assert not [name for name in made if "run_asgi" in name], made

    run_site(scenario, tmp_path, [READ])


def test_a_read_without_a_task_is_answered_as_one_with(tmp_path):
    async def scenario(site):
        headers = {"Authorization": f"Bearer {site.user('ann', 'user')}"}
        no_read = {"Authorization": f"Bearer {site.user('eve', 'user', {'propose'})}"}
        cases = [
            ("GET", "/api/status", headers),
            ("HEAD", "/api/status", headers),
            ("GET", "/api/status", {**headers, "Connection": "close"}),
            ("GET", "/api/status?deck=1", headers),
            ("GET", "/api/status", {}),
            ("GET", "/api/status", no_read),
            ("GET", "/api/status", {"Authorization": "Bearer wrong"}),
            ("GET", "/api/status", {**headers, "Host": "evil.example"}),
            ("POST", "/api/status", headers),
        ]
        by_task = httpx.ASGITransport(site.service.app, client=("127.0.0.1", 50_000))
        async with httpx.AsyncClient(transport=by_task, base_url="http://127.0.0.1") as client:
            wanted = [_said(await client.request(*case[:2], headers=case[2])) for case in cases]
        async with (
            served_at(site.service) as address,
            httpx.AsyncClient(base_url=address) as client,
        ):
            found = [_said(await client.request(*case[:2], headers=case[2])) for case in cases]
        assert found == wanted
        statuses = [status for status, _, _ in found]
        assert statuses == [200, 200, 200, 200, 401, 403, 401, 421, 405]

    run_site(scenario, tmp_path, [READ])


def _said(response):
    fields = {**response.headers}
    for name in ("connection", "date"):
        fields.pop(name, None)
    return response.status_code, fields, response.content


def test_a_read_fails_without_the_engine_and_is_served_when_it_is_back(tmp_path):
    async def scenario(site):
        headers = {"Authorization": f"Bearer {site.user('ann', 'user')}"}
        path = site.echo.path
        async with (
            served_at(site.service) as address,
            httpx.AsyncClient(base_url=address, headers=headers) as client,
        ):
            assert (await client.get("/api/status")).status_code == 200
            path.rename(path.with_suffix(".away"))
            for link in site.service._links:
                await link.close()
            gone = await client.get("/api/status")
            assert gone.status_code == 503
            assert gone.headers["x-frame-options"] == "DENY"
            path.with_suffix(".away").rename(path)
            assert (await client.get("/api/status")).status_code == 200

    run_site(scenario, tmp_path, [READ])


def test_a_fault_of_a_read_is_answered_and_logged(tmp_path, monkeypatch, caplog):
    async def scenario(site):
        headers = {"Authorization": f"Bearer {site.user('ann', 'user')}"}
        async with (
            served_at(site.service) as address,
            httpx.AsyncClient(base_url=address, headers=headers) as client,
        ):
            assert (await client.get("/api/status")).status_code == 200
            monkeypatch.setattr(app, "answer", lambda _value: 1 / 0)
            failed = await client.get("/api/status")
            monkeypatch.undo()
            assert failed.status_code == 500
            assert failed.json()["code"] == "fault"
            assert (await client.get("/api/status")).status_code == 200

    run_site(scenario, tmp_path, [READ])
    assert "ZeroDivisionError" in caplog.text
