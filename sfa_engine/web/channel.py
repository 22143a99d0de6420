"""The channel, a WebSocket at ``/api/channel``: who may open it, and how many.

Its messages are in `channel_client`, its topics in `topics`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sfa_engine.errors import Refused
from sfa_engine.web.activity import Activity
from sfa_engine.web.agents_topic import Agents
from sfa_engine.web.app import HEADER_PAIRS, check_host, check_single, normal_names
from sfa_engine.web.calls import Calls
from sfa_engine.web.channel_client import ChannelClient
from sfa_engine.web.debug import Debug
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.form import form_of
from sfa_engine.web.gate import Credential, Gate, bearer_secret, cookie_of
from sfa_engine.web.guard import is_loopback, is_same_origin
from sfa_engine.web.limits import Rate
from sfa_engine.web.midi_topic import Midi
from sfa_engine.web.playback import Playback
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor, Right

PATH = "/api/channel"
MAX_CHANNELS = 128
MAX_OF_ONE = 32  # address
MAX_UNKNOWN = 8  # of an address, that have not sent their token yet: any site's page can open them


class Channel:
    """The ASGI application of WebSockets.

    Parameters
    ----------
    names : collection of str
        Configured host names.
    gate : Gate
    calls : Calls
    activity : Activity
    playback : Playback
    debug : Debug
    midi : Midi
    agents : Agents
    """

    def __init__(
        self,
        names: Collection[str],
        gate: Gate,
        calls: Calls,
        activity: Activity,
        playback: Playback,
        debug: Debug,
        midi: Midi,
        agents: Agents,
    ) -> None:
        self._names = normal_names(names)
        self._gate = gate
        self._calls = calls
        self._activity = activity
        self._playback = playback
        self._debug = debug
        self._midi = midi
        self._agents = agents
        self._open: Counter[str] = Counter()  # by address
        self._unknown: Counter[str] = Counter()

    def endpoints(self) -> list[Endpoint]:
        """Return its entry in the table of the API."""
        sentence = "Open the channel, a WebSocket: jobs, tracks and readings as they change."
        right = Right("read")
        return [Endpoint("GET", PATH, sentence, _no_websocket, statuses=(426,), right=right)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        await receive()  # "websocket.connect"
        connection = HTTPConnection(scope)
        address = connection.client.host if connection.client else ""
        try:
            credential = self._admit(connection, address)
            form, subprotocol = form_of(scope.get("subprotocols", []))
        except (Problem, Refused) as error:
            problem = (
                error if isinstance(error, Problem) else Problem(400, error.message, error.hint)
            )
            await _deny(problem, send)
            return
        signed_in = _SignedIn(self._gate, credential, address, self._unknown)
        self._open[address] += 1
        try:
            await send({"type": "websocket.accept", "subprotocol": subprotocol})
            await ChannelClient(
                *(receive, send, form, signed_in.by_token, signed_in.now),
                *(self._calls, self._activity, self._playback, self._debug, self._midi),
                self._agents,
            ).run()
        finally:
            self._open[address] -= 1
            self._open += Counter()  # without zeros
            signed_in.be_known()

    def _admit(self, connection: HTTPConnection, address: str) -> Credential | None:
        """Return what a connection is signed in by; None if its first message has to say."""
        headers = connection.headers
        check_host(headers, self._names)
        check_single(headers)
        if connection.scope["path"] != PATH:
            raise Problem(404, f'no channel "{connection.scope["path"]:.100}"', f"see {PATH}")
        if not self._gate.has_users and not is_loopback(address):
            hint = "open the link that `sfa web` prints"
            raise Problem(403, "there is no user yet", hint, code="no_user")
        credential = self._credential(connection)
        actor = self._gate.actor_of(credential, address) if credential else None
        self._gate.count(actor, address, Rate.OPEN)
        is_full = self._open.total() >= MAX_CHANNELS or self._open[address] >= MAX_OF_ONE
        if is_full or (credential is None and self._unknown[address] >= MAX_UNKNOWN):
            raise Problem(503, "too many channels are open", "close some", code="busy")
        if credential is not None and actor is None:
            raise Problem(401, "not signed in", "sign in, or send a token")
        return credential

    def _credential(self, connection: HTTPConnection) -> Credential | None:
        headers = connection.headers
        if "authorization" in headers:
            return Credential(bearer_secret(headers["authorization"]), is_session=False)
        secret = connection.cookies.get(cookie_of(connection.scope))
        if secret is None:
            return None
        if not is_same_origin(headers):
            raise Problem(403, "the request comes from another site's page", code="cross_site")
        return Credential(secret, is_session=True)


class _SignedIn:
    """Who is signed in on a connection, now."""

    def __init__(
        self, gate: Gate, credential: Credential | None, address: str, unknown: Counter[str]
    ) -> None:
        self._gate = gate
        self._credential = credential
        self._address = address
        self._unknown = unknown
        self._is_unknown = credential is None
        unknown[address] += self._is_unknown

    def now(self) -> Actor | None:
        if self._credential is None:
            return None
        return self._gate.actor_of(self._credential, self._address)

    def by_token(self, token: str) -> Actor | None:
        self._credential = Credential(token, is_session=False)
        self.be_known()
        return self.now()

    def be_known(self) -> None:
        """Count it no more among those without a token."""
        if self._is_unknown:
            self._is_unknown = False
            self._unknown[self._address] -= 1
            if not self._unknown[self._address]:
                del self._unknown[self._address]


async def _no_websocket(_exchange: Exchange) -> Response:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    hint = "open it as a WebSocket, see docs/web.md"
    raise Problem(426, "the channel is a WebSocket", hint, headers=headers)


async def _deny(problem: Problem, send: Send) -> None:
    """Answer the handshake with a problem."""
    response = problem.response()
    await send(
        {
            "type": "websocket.http.response.start",
            "status": response.status_code,
            "headers": [*response.raw_headers, *HEADER_PAIRS],
        }
    )
    await send({"type": "websocket.http.response.body", "body": bytes(response.body)})
