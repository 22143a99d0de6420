"""A web process of its own, and the ASGI application alone, for the tests here."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import msgspec

from sfa_engine.errors import EngineError
from sfa_engine.run.folders import memory_path
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET, ENGINE_SOCKET, WEB_SOCKET
from sfa_engine.web import password, secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.rights import SCOPES_OF, SYSTEM
from sfa_engine.web.service import Service
from sfa_engine.web.settings import WebConfig
from sfa_engine.wire import aio
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.session import Session


class WebProcess:
    """A web process that can be killed and started again."""

    def __init__(self, runtime: Path, data: Path, **settings):
        self.runtime = runtime
        self.data = data
        self.settings = {"port": 0, **settings}
        self.process = None
        self.port = 0

    def start(self):
        words = ["--runtime", self.runtime, "--data", self.data, "--log", self.data]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sfa_engine.run.web_process"),
                *map(str, words),
                *("--settings", json.dumps(self.settings)),
            ],
            env=os.environ,
        )
        give_up = time.monotonic() + 60
        while True:
            try:
                with SocketClient(self.runtime / WEB_SOCKET, 30.0, "web") as client:
                    self.port = client.call("web.status")["port"]
                    return self
            except EngineError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < give_up, self.log()
                time.sleep(0.02)

    def client(self, **options):
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30.0, **options
        )

    def connect(self):
        """Return a TCP connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30.0)

    def log(self):
        file = self.data / "web.log"
        return file.read_text() if file.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


@contextmanager
def web_process(data, runtime=None, **settings):
    """A web process: of an engine in a runtime folder, or of none."""
    with tempfile.TemporaryDirectory(prefix="sfa-w-", dir=memory_path()) as empty:
        web = WebProcess(Path(runtime or empty), data, **settings)
        try:
            yield web.start()
        finally:
            web.stop()


def received(connection, request: bytes) -> bytes:
    """Send bytes, and return all that comes until the connection is closed."""
    connection.sendall(request)
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def asked(app, *requests, address="127.0.0.1"):
    """Send requests to an ASGI application, one after another; return the responses.

    Each is a method, a path, and arguments of httpx.
    """

    async def ask():
        transport = httpx.ASGITransport(app, client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.request(method, path, **of) for method, path, of in requests]

    return asyncio.run(ask())


PORT = 8952
ORIGIN = f"http://127.0.0.1:{PORT}"
PASSWORD = "correct horse"  # noqa: S105 - of nobody


class Echo(aio.Server):
    """Describes some verbs, and answers each request with itself."""

    def __init__(self, path: Path, described):
        super().__init__(path, self._attend)
        self.described = described
        self.controls = [{"path": "crossfader", "kind": "fader"}]
        self.asked = []
        self.actors = []

    async def _attend(self, reader, writer):
        session = Session("echo", "0", {}, prefixes=("",), forward=self._answer)
        await aio.Peer(reader, writer, session).run()

    def _answer(self, method, params, actor):
        given = msgspec.msgpack.decode(params)
        if method == "describe":
            return {"controls": self.controls, "verbs": self.described}
        if method not in {"hello", "audit.add"}:
            self.asked.append((method, given))
            self.actors.append(actor)
        engine = {"blocks": 9, "late": 0, "device_misses": 0, "load_pct": 1.5}
        url = "https://accounts.example/authorize"
        return {"method": method, "params": given, "health": "ok", "engine": engine, "url": url}


class Site:
    """A service without sockets of its own, and clients of it."""

    def __init__(self, service, data, echo=None):
        self.service = service
        self.accounts = data / FILE
        self.echo = echo

    def client(self, token=None, address="127.0.0.1", **headers):
        """Return a client: a page of ours, or a program with a token."""
        fields = {"Authorization": f"Bearer {token}"} if token else {"Origin": ORIGIN}
        transport = httpx.ASGITransport(self.service.app, client=(address, 50_000))
        return httpx.AsyncClient(
            transport=transport, base_url=ORIGIN, headers={**fields, **headers}
        )

    def write(self, function, *arguments):
        """Call a function on the accounts, as the command line does."""
        with closing(open_database(self.accounts)) as connection, transaction(connection):
            return function(connection, *arguments)

    def user(self, name, role, scopes=None):
        """Make a user with a password; return a token with some scopes, all by default."""
        made = self.write(users.add, SYSTEM, name, role)
        self.write(users.set_password, made.id, HASH)
        wanted = SCOPES_OF[role] if scopes is None else scopes
        return self.write(secrets.add_token, made, "tests", wanted, None)[0]


HASH = password.hashed(PASSWORD)


def run_site(scenario, folder, described=None, **settings):
    """Run a coroutine with a site; with a server of some verbs in place of engine and backstage."""

    async def main():
        with tempfile.TemporaryDirectory(prefix="sfa-w-", dir=memory_path()) as lent:
            runtime = Path(lent)
            echo = Echo(runtime / ENGINE_SOCKET, described or [])
            listens = asyncio.Event()
            serving = asyncio.create_task(echo.run(listens.set))
            try:
                await listens.wait()
                if described:
                    (runtime / BACKSTAGE_SOCKET).symlink_to(echo.path)
                else:
                    echo.path.rename(runtime / "unused.sock")
                async with Service.open(WebConfig(**settings), runtime, folder) as service:
                    if described:
                        await service.whole.wait()
                    await scenario(Site(service, folder, echo))
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())
