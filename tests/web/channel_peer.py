"""A client of the channel for tests, and accounts beside a running engine."""

import json
import time
from contextlib import closing, contextmanager

import msgspec
from engine_process import until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.rights import SCOPES_OF, SYSTEM

WAIT_S = 60.0


class Peer:
    """A client that keeps what it was sent."""

    def __init__(self, socket, packed=False):
        self.socket = socket
        self.packed = packed
        self.seen = []

    def send(self, **message):
        self.socket.send(msgspec.msgpack.encode(message) if self.packed else json.dumps(message))

    def join(self, topic, **of):
        self.send(join=topic, **of)

    def next(self, timeout_s=WAIT_S):
        data = self.socket.recv(timeout=timeout_s)
        assert isinstance(data, bytes) == self.packed
        found = msgspec.msgpack.decode(data) if self.packed else json.loads(data)
        self.seen.append(found)
        return found

    def until(self, condition, what="", since=None):
        """Return the first message that fulfils a condition, also of those seen from one on."""
        for found in self.seen[since:] if since is not None else ():
            if condition(found):
                return found
        give_up = time.monotonic() + WAIT_S
        while time.monotonic() < give_up:
            found = self.next()
            if condition(found):
                return found
        raise AssertionError(f"no {what} in {self.seen[-20:]}")

    def event(self, topic, *events):
        """Return the next message of a topic, of some events if any are named."""
        return self.until(
            lambda m: m.get("topic") == topic and (not events or m["event"] in events),
            f"{events} of {topic}",
        )

    def call(self, method, number=1, **params):
        self.send(id=number, method=method, params=params)
        return self.until(lambda m: m.get("id") == number, method)

    def pong(self):
        """Return when the server has read all that was sent."""
        number = int(time.monotonic() * 1e6)
        self.send(ping=number)
        return self.until(lambda m: m.get("pong") == number, "pong")

    def closed(self):
        """Return code and reason of the close that comes."""
        give_up = time.monotonic() + WAIT_S
        try:
            while time.monotonic() < give_up:
                self.next()
        except ConnectionClosed as closed:
            frame = closed.rcvd
            return (frame.code, frame.reason) if frame else (1006, "")
        raise AssertionError(self.seen[-20:])


class Place:
    """Where a web process listens, and its accounts."""

    def __init__(self, port, data):
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.accounts = data / FILE
        until(self.accounts.exists, "accounts")

    def write(self, function, *arguments):
        with closing(open_database(self.accounts)) as connection, transaction(connection):
            return function(connection, *arguments)

    def user(self, name, role="user"):
        made = self.write(users.add, SYSTEM, name, role)
        self.write(users.set_password, made.id, "no hash")
        return made

    def token(self, user, scopes=None):
        wanted = sorted(SCOPES_OF[user.role] if scopes is None else scopes)
        return self.write(secrets.add_token, user, "tests", wanted, None)[0]

    def cookie(self, user):
        secret = self.write(secrets.begin_session, user.id, "127.0.0.1", "tests")
        return {"Cookie": f"sfa_session_{self.port}={secret}"}

    @contextmanager
    def open(self, token=None, headers=(), form=None, path="/api/channel", **of):
        """Open the channel, with a token or with headers."""
        fields = {**({"Authorization": f"Bearer {token}"} if token else {}), **dict(headers)}
        with connect(
            f"ws://127.0.0.1:{self.port}{path}",
            additional_headers=fields,
            subprotocols=[form] if form else None,
            compression=None,
            proxy=None,
            close_timeout=1.0,
            **of,
        ) as socket:
            yield Peer(socket, form == "sfa.msgpack")

    def refusal(self, **of):
        """Return status and problem of a handshake that is refused."""
        try:
            with self.open(**of):
                raise AssertionError("it was accepted")
        except InvalidStatus as refused:
            response = refused.response
            return response.status_code, json.loads(response.body)
