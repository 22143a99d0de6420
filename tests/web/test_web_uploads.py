"""Sound files that are sent to the web process, and what is left of those that are not whole."""

import asyncio
import os
import signal
import subprocess
import time
from contextlib import closing

import pytest
from house import house, song, until_ended
from served import received, run_site, web_process

from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.system.atomic import PREFIXES
from sfa_engine.web import secrets, uploads, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.rights import SYSTEM
from sfa_engine.wire.verbs import verbs_of

DESCRIBED = [one.describe() for one in verbs_of(PrepVerbs).values()]


def token_of(data, role="super_admin"):
    with closing(open_database(data / FILE)) as connection, transaction(connection):
        made = users.add(connection, SYSTEM, role, role)
        users.set_password(connection, made.id, "$argon2id$unused")
        return secrets.add_token(connection, made, "tests", ["read", "prepare"], 1)[0]


def head(token, name, **headers):
    """Return the head of an upload."""
    fields = {"Host": "127.0.0.1", "Authorization": f"Bearer {token}", **headers}
    lines = [f"PUT /api/uploads/{name} HTTP/1.1", *(f"{key}: {fields[key]}" for key in fields)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@pytest.mark.slow
def test_an_upload_is_imported(tmp_path):
    sound = song(tmp_path / "sent.wav", seconds=4.0).read_bytes()
    data = tmp_path / "web"
    data.mkdir()
    with (
        house(tmp_path / "house") as here,
        here.start() as client,
        web_process(data, here.runtime) as web,
        web.client(headers={"Authorization": f"Bearer {token_of(data, 'user')}"}) as page,
    ):
        give_up_s = time.monotonic() + 20.0
        while page.get("/api/jobs/list").status_code == 503:
            assert time.monotonic() < give_up_s
        response = page.put("/api/uploads/Wren%20-%20Long%20Way.wav", content=sound)
        assert response.status_code == 202, response.text
        queued = response.json()
        (job,) = queued["jobs"]
        assert response.headers["location"] == f"/api/jobs/show?job={job}"
        assert page.get(response.headers["location"]).json()["id"] == job
        done = until_ended(client, queued["batch"])
        assert [each["title"] for each in done["tracks"]] == ["Long Way"]
        again = page.put("/api/uploads/Wren%20-%20Long%20Way.wav", content=iter([sound]))
        assert again.json()["file"] == "Wren - Long Way (2).wav"
        assert (data / "uploads" / "Wren - Long Way.wav").read_bytes() == sound
        assert "Traceback" not in web.log()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a.mp3", "a.mp3"),
        ("..%5C..%5Cx.flac", "_.._x.flac"),
        ("con.wav", "_con.wav"),
        ("e%CC%81.OGG", "é.OGG"),
        (".sfa-part-000000000000-x.wav", "sfa-part-000000000000-x.wav"),
        ("-rf.wav", "-rf.wav"),
    ],
)
def test_the_name_of_an_upload_is_made_safe(tmp_path, name, kept):
    async def scenario(site):
        async with site.client(site.user("ann", "user")) as client:
            response = await client.put(f"/api/uploads/{name}", content=b"sound")
        assert response.status_code == 202, response.text
        assert response.json()["file"] == kept
        assert [each.name for each in (tmp_path / "uploads").iterdir()] == [kept]
        assert site.echo.asked[-1] == (
            "prep.add",
            {"sources": [str(tmp_path / "uploads" / kept)]},
        )

    run_site(scenario, tmp_path, DESCRIBED)


@pytest.mark.parametrize(
    ("name", "content", "headers", "status"),
    [
        ("x.exe", b"sound", {}, 415),
        ("x", b"sound", {}, 415),
        (".wav", b"sound", {}, 415),
        ("x.wav", b"sound", {"Content-Encoding": "gzip"}, 415),
        ("x.wav", b"", {}, 422),
        ("x.wav", b"a" * ((1 << 20) + 1), {}, 413),
        ("x.wav", (b"a" * (1 << 19) for _ in range(3)), {}, 413),
        ("a%2Fx.wav", b"sound", {}, 404),
        ("..%2Fx.wav", b"sound", {}, 404),
    ],
)
def test_what_is_no_sound_file_is_refused_and_leaves_nothing(
    tmp_path, name, content, headers, status
):
    async def pieces():
        for each in content:
            yield each

    async def scenario(site):
        async with site.client(site.user("ann", "admin")) as client:
            body = content if isinstance(content, bytes) else pieces()
            response = await client.put(f"/api/uploads/{name}", content=body, headers=headers)
        assert response.status_code == status, response.text
        folder = tmp_path / "uploads"
        assert not folder.exists() or not list(folder.iterdir())
        assert not site.echo.asked

    run_site(scenario, tmp_path, DESCRIBED, upload_mb=1)


def test_who_may_not_prepare_may_not_send(tmp_path):
    async def scenario(site):
        async with site.client(site.user("ann", "admin", ["read"])) as client:
            assert (await client.put("/api/uploads/x.wav", content=b"x")).status_code == 403
        async with site.client() as client:
            assert (await client.put("/api/uploads/x.wav", content=b"x")).status_code == 401
        assert not (tmp_path / "uploads").exists()

    run_site(scenario, tmp_path, DESCRIBED)


def test_an_account_sends_three_files_at_once(tmp_path):
    async def scenario(site):
        go_on = asyncio.Event()

        async def held():
            yield b"sound"
            await go_on.wait()

        async with site.client(site.user("ann", "user")) as client:
            sent = [
                asyncio.ensure_future(client.put(f"/api/uploads/{n}.wav", content=held()))
                for n in range(uploads.MAX_OF_ONE)
            ]
            while len(parts(tmp_path / "uploads")) < uploads.MAX_OF_ONE:  # noqa: ASYNC110 - files
                await asyncio.sleep(0.01)
            refused = await client.put("/api/uploads/x.wav", content=b"sound")
            assert refused.status_code == 429
            assert refused.headers["retry-after"]
            async with site.client(site.user("bob", "user")) as other:
                assert (await other.put("/api/uploads/y.wav", content=b"y")).status_code == 202
            go_on.set()
            assert [each.status_code for each in await asyncio.gather(*sent)] == [202] * 3
            assert (await client.put("/api/uploads/x.wav", content=b"x")).status_code == 202

    run_site(scenario, tmp_path, DESCRIBED)


def test_a_slow_upload_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "GRACE_S", 0.3)
    monkeypatch.setattr(uploads, "MIN_BYTES_PER_S", 1 << 20)

    async def scenario(site):
        async def slow():
            while True:
                yield b"a"
                await asyncio.sleep(0.02)

        async with site.client(site.user("ann", "user")) as client:
            response = await client.put("/api/uploads/x.wav", content=slow())
        assert response.status_code == 408
        assert list((tmp_path / "uploads").iterdir()) == []

    run_site(scenario, tmp_path, DESCRIBED)


@pytest.fixture
def small_disk(tmp_path):
    """Lend a data folder on a disk of four MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nobody but root may mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def in_pieces(count):
    for _ in range(count):
        yield b"a" * (1 << 19)


@pytest.mark.parametrize("kept_mb", [0, 2])
def test_a_full_disk_is_said_and_nothing_is_left(small_disk, monkeypatch, kept_mb):
    monkeypatch.setattr(uploads, "KEPT_FREE_BYTES", kept_mb << 20)

    async def scenario(site):
        async with site.client(site.user("ann", "user")) as client:
            size = 2 if kept_mb else 8  # MiB
            known = await client.put("/api/uploads/x.wav", content=b"a" * (size << 20))
            assert known.status_code == 507
            unknown = await client.put("/api/uploads/x.wav", content=in_pieces(2 * size))
            assert unknown.status_code == 507
            assert unknown.json()["hint"]
            assert list((small_disk / "uploads").iterdir()) == []
            assert (await client.put("/api/uploads/x.wav", content=b"a")).status_code == 202

    run_site(scenario, small_disk, DESCRIBED)


def test_the_system_says_that_the_disk_is_full(small_disk, monkeypatch):
    monkeypatch.setattr(uploads, "_free", lambda _folder: 1 << 40)

    async def scenario(site):
        async with site.client(site.user("ann", "user")) as client:
            response = await client.put("/api/uploads/x.wav", content=in_pieces(16))
            assert response.status_code == 507
            assert list((small_disk / "uploads").iterdir()) == []

    run_site(scenario, small_disk, DESCRIBED)


@pytest.mark.parametrize("at", [0, 3], ids=["while it is sent", "at its end"])
def test_an_upload_of_a_suspended_user_leaves_nothing(tmp_path, monkeypatch, at):
    monkeypatch.setattr(uploads, "RECHECK_S", 0.0 if at == 0 else 60.0)

    async def scenario(site):
        token = site.user("ann", "user")

        async def pieces():
            for number in range(4):
                if number == at:
                    site.write(users.set_status, SYSTEM, "ann", "suspended")
                yield b"a" * 1000

        async with site.client(token) as client:
            response = await client.put("/api/uploads/x.wav", content=pieces())
        assert response.status_code == 401, response.text
        assert response.headers["connection"] == "close"
        assert list((tmp_path / "uploads").iterdir()) == []
        assert not [method for method, _ in site.echo.asked if method == "prep.add"]

    run_site(scenario, tmp_path, DESCRIBED)


@pytest.mark.slow
def test_a_broken_connection_and_a_kill_leave_nothing(tmp_path):
    data = tmp_path / "web"
    data.mkdir()
    folder = data / "uploads"
    with house(tmp_path / "house") as here, here.start(), web_process(data, here.runtime) as web:
        token = token_of(data)
        wait_for_verbs(web, token)
        connection = web.connect()
        size = {"Content-Length": str(50 << 20)}
        connection.sendall(head(token, "x.wav", **size) + b"a" * (3 << 20))
        wait_until(lambda: any(each.stat().st_size for each in parts(folder)))
        connection.close()
        wait_until(lambda: not list(folder.iterdir()))
        connection = web.connect()
        connection.sendall(head(token, "x.wav", **size) + b"a" * (3 << 20))
        wait_until(lambda: parts(folder))
        os.kill(web.process.pid, signal.SIGKILL)
        web.process.wait()
        connection.close()
        assert parts(folder)
        web.start()
        assert not list(folder.iterdir())
        with web.client(headers={"Authorization": f"Bearer {token}"}) as client:
            assert client.get("/api/jobs/list").json()["jobs"] == []
        assert "Traceback" not in web.log()


@pytest.mark.slow
def test_a_refused_upload_is_not_read(tmp_path):
    data = tmp_path / "web"
    data.mkdir()
    with house(tmp_path / "house") as here, here.start(), web_process(data, here.runtime) as web:
        token = token_of(data)
        wait_for_verbs(web, token)
        size = {"Content-Length": str(1 << 40), "Expect": "100-continue"}
        for name, headers, status in (
            ("x.wav", size, b"413"),
            ("x.exe", size, b"415"),
        ):
            with closing(web.connect()) as connection:
                said = received(connection, head(token, name, **headers))
            assert said.startswith(b"HTTP/1.1 " + status), said
            assert b"connection: close" in said.lower()
        with closing(web.connect()) as connection:
            expect = {"Content-Length": "5", "Expect": "100-continue"}
            connection.sendall(head(token, "y.wav", **expect))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
            connection.sendall(b"sound")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 202")


def test_an_upload_waits_for_a_backstage_that_is_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "QUEUE_S", 0.5)

    async def scenario(site):
        async with site.client(site.user("ann", "user")) as client:
            failing = 2
            send = site.service._backstage_verbs.send

            async def sometimes(*of):
                nonlocal failing
                if failing:
                    failing -= 1
                    raise uploads.EngineError("backstage is not running")
                return await send(*of)

            site.service._backstage_verbs.send = sometimes
            monkeypatch.setattr(uploads, "QUEUE_RETRY_S", 0.01)
            assert (await client.put("/api/uploads/x.wav", content=b"x")).status_code == 202
            failing = 10_000
            away = await client.put("/api/uploads/y.wav", content=b"x")
            assert away.status_code == 503
        assert [each.name for each in (tmp_path / "uploads").iterdir()] == ["x.wav"]

    run_site(scenario, tmp_path, DESCRIBED)


def parts(folder):
    return list(folder.glob(f"{PREFIXES[0]}*")) if folder.exists() else []


def wait_until(condition):
    give_up_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def wait_for_verbs(web, token):
    with web.client(headers={"Authorization": f"Bearer {token}"}) as client:
        wait_until(lambda: client.get("/api/jobs/list").status_code == 200)
