"""One client of the channel: its messages, its calls, and what is sent to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.types import Receive, Send

from sfa_engine.errors import FaultError, SfaError
from sfa_engine.web.activity import Activity
from sfa_engine.web.agents_topic import ASK, Agents
from sfa_engine.web.calls import Calls
from sfa_engine.web.debug import Debug
from sfa_engine.web.exchange import RECHECK_S
from sfa_engine.web.form import Data, Form
from sfa_engine.web.limits import Limits, Rate
from sfa_engine.web.member import Member
from sfa_engine.web.midi_topic import LEARN, Midi
from sfa_engine.web.outbox import TooSlowError
from sfa_engine.web.playback import MAX_PATHS, Playback
from sfa_engine.web.problem import Problem, described
from sfa_engine.web.rights import Actor
from sfa_engine.web.topics import AGENTS, LOG, MIDI, PLAYBACK, TRACE, Topic, message, topic_of

logger = logging.getLogger(__name__)
TOKEN_TIMEOUT_S = 10.0  # for the first message of a client that is not signed in
MAX_CALLS = 64  # in progress
MAX_TOPICS = 100
DEBUG = frozenset({LOG, TRACE})
REFUSING = DEBUG | {MIDI}  # joined only by those who may
UNSUPPORTED, POLICY, LATER = 1003, 1008, 1013  # RFC 6455, and its registry

Number = Annotated[int, Meta(ge=0, lt=1 << 53)]
Word = Annotated[str, Meta(max_length=100)]


class Token(msgspec.Struct, forbid_unknown_fields=True):
    """Sign in."""

    token: Word


class Join(msgspec.Struct, forbid_unknown_fields=True):
    """Join a topic; `paths` are those of ``playback``."""

    join: Word
    paths: Annotated[list[Word], Meta(max_length=MAX_PATHS)] | None = None


class Leave(msgspec.Struct, forbid_unknown_fields=True):
    """Leave a topic."""

    leave: Word


class Ping(msgspec.Struct, forbid_unknown_fields=True):
    """Ask for the channel's clock."""

    ping: Number


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """Call a verb."""

    id: Number
    method: Word
    params: dict[str, Any] = {}


class Cancel(msgspec.Struct, forbid_unknown_fields=True):
    """End a call that waits for a person, or for an agent."""

    cancel: Number


KINDS: dict[str, type[msgspec.Struct]] = {
    "token": Token,
    "join": Join,
    "leave": Leave,
    "ping": Ping,
    "method": Request,
    "cancel": Cancel,
}


class Closed(Exception):  # noqa: N818 - it ends a connection, as it should
    """The connection is to be closed.

    Parameters
    ----------
    code : int
        Of RFC 6455.
    reason : str
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ChannelClient:
    """Serves one connection.

    Parameters
    ----------
    receive, send : callable
        Of ASGI; the connection is accepted.
    form : Form
    sign_in : callable
        Returns the actor of a token; None if it is not valid.
    recheck : callable
        Returns the actor as it is now; None if it is not signed in any more.
    calls : Calls
    activity : Activity
    playback : Playback
    debug : Debug
    midi : Midi
    agents : Agents
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        form: Form,
        sign_in: Callable[[str], Actor | None],
        recheck: Callable[[], Actor | None],
        calls: Calls,
        activity: Activity,
        playback: Playback,
        debug: Debug,
        midi: Midi,
        agents: Agents,
    ) -> None:
        self._receive = receive
        self._send = send
        self._form = form
        self._sign_in = sign_in
        self._recheck = recheck
        self._calls = calls
        self._activity = activity
        self._playback = playback
        self._debug = debug
        self._midi = midi
        self._agents = agents
        self._limits = Limits()
        self._own = calls.open_links()
        self._running: set[asyncio.Task[None]] = set()
        self._ending: dict[int, asyncio.Task[Any]] = {}  # what `Cancel` ends, by the call

    async def run(self) -> None:
        """Serve it until it leaves or has to."""
        member: Member | None = None
        try:
            member = await self._member()
            await self._serve(member)
        except Closed as closed:
            with suppress(OSError):  # it is gone
                await self._send(
                    {"type": "websocket.close", "code": closed.code, "reason": closed.reason}
                )
        except OSError:  # gone
            pass
        finally:
            if member is not None:
                self._leave_all(member)
            await self._own.close()  # the engine releases what was held down

    async def _member(self) -> Member:
        actor = self._recheck() or await self._signed_in()
        if "read" not in actor.scopes:
            raise Closed(POLICY, "the channel needs the scope read")
        return Member(actor, self._form)

    async def _signed_in(self) -> Actor:
        """Return the actor of the token in the first message."""
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_S):
                first = self._parsed(await self._next())
        except (TimeoutError, Problem, SfaError):
            raise Closed(POLICY, "sign in, or send a token first") from None
        actor = self._sign_in(first.token) if isinstance(first, Token) else None
        if actor is None:
            raise Closed(POLICY, "the token is not valid")
        return actor

    async def _serve(self, member: Member) -> None:
        parts = [self._read(member), self._write(member), self._check(member)]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, *self._running):
                task.cancel()
            await asyncio.gather(*tasks, *self._running, return_exceptions=True)
        for task in done:
            task.result()

    # ---------------------------------------------------------------- reading

    async def _read(self, member: Member) -> None:
        while True:
            data = await self._next()
            parsed = None
            try:
                parsed = self._parsed(data)
                self._limit()
                await self._obey(member, parsed)
            except (Problem, SfaError) as error:
                _send_error(member, error, parsed)

    def _limit(self) -> None:
        """Count a message; refuse those that are too many, and close at a flood of them."""
        now_s = time.monotonic()
        if not self._limits.take("messages", Rate.PLAY, now_s):
            return
        if self._limits.take("refused", Rate.PLAY, now_s):
            raise Closed(POLICY, "too many messages")
        raise Problem(429, f"more than {Rate.PLAY.most} messages a second")

    async def _next(self) -> Data:
        """Return the next message's text or bytes."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            raise ConnectionResetError
        text = event.get("text")
        data: Data = event["bytes"] if text is None else text
        if type(data) is not self._form.kind:
            wanted = "text" if self._form.kind is str else "binary messages"
            raise Closed(UNSUPPORTED, f"{self._form.name} is sent as {wanted}")
        return data

    def _parsed(self, data: Data) -> Any:
        """Return a message.

        Raises
        ------
        SfaError
            It cannot be read.
        Problem
            It is none that there is.
        """
        found = self._form.parse(data)
        for key, kind in KINDS.items():
            if key in found:
                try:
                    return msgspec.convert(found, kind)
                except msgspec.ValidationError as error:
                    raise Problem(422, str(error)) from None
        raise Problem(422, f"a message has one of {', '.join(KINDS)}")

    async def _obey(self, member: Member, parsed: Any) -> None:
        match parsed:
            case Join():
                self._join(member, parsed)
            case Leave():
                self._leave(member, topic_of(parsed.leave))
            case Ping():
                now_s = asyncio.get_running_loop().time()
                member.outbox.put_answer(self._form.encode({"pong": parsed.ping, "time_s": now_s}))
            case Request():
                await self._begin(member, parsed)
            case Cancel():
                if parsed.cancel in self._ending:
                    self._ending[parsed.cancel].cancel()
            case Token():
                raise Problem(422, "a token is the first message only", "open another connection")

    def _join(self, member: Member, parsed: Join) -> None:
        if self._limits.take("joins", Rate.READ, time.monotonic()):
            raise Problem(429, f"more than {Rate.READ.most} topics were joined in a minute")
        topic = topic_of(parsed.join)
        if parsed.paths is not None and topic.kind != PLAYBACK:
            raise Problem(422, f"{topic} takes no paths")
        if topic in member.joined:
            self._leave(member, topic)
        if len(member.joined) >= MAX_TOPICS:
            raise Problem(422, f"{MAX_TOPICS} topics are joined", "leave some")
        if topic.kind in DEBUG:
            self._debug.join(member, topic)
        elif topic.kind == MIDI:
            self._midi.join(member)
        member.joined[topic] = None
        if topic.kind in REFUSING:
            return
        if topic.kind == PLAYBACK:
            self._playback.join(member, parsed.paths)
        elif topic.kind == AGENTS:
            self._agents.join(member)
        else:
            self._activity.join(member, topic)

    def _leave(self, member: Member, topic: Topic) -> None:
        if topic not in member.joined:
            return
        del member.joined[topic]
        if topic.kind == PLAYBACK:
            self._playback.leave(member)
        elif topic.kind in DEBUG:
            self._debug.leave(member, topic)
        elif topic.kind == MIDI:
            self._midi.leave(member)
        elif topic.kind != AGENTS:
            self._activity.leave(member, topic)

    def _leave_all(self, member: Member) -> None:
        for topic in list(member.joined):
            self._leave(member, topic)

    # ---------------------------------------------------------------- calls

    async def _begin(self, member: Member, request: Request) -> None:
        while len(self._running) >= MAX_CALLS:  # it is not read from meanwhile
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.ensure_future(self._answer(member, request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, member: Member, request: Request) -> None:
        try:
            if request.method == LEARN:
                work = self._midi.learn(member, request.params)
                result = await self._until_cancelled(request, work)
            elif request.method == ASK:
                work = self._agents.ask(member, request.params)
                result = await self._until_cancelled(request, work)
            else:
                result = await self._calls.call(
                    member.actor, request.method, request.params, own=self._own
                )
            answer = self._form.encode({"id": request.id, "result": result})
        except (Problem, SfaError) as error:
            _send_error(member, error, request)
        except Exception as error:
            logger.exception("%s", request.method)
            _send_error(member, FaultError.of(error), request)
        else:
            member.outbox.put_answer(answer)

    async def _until_cancelled(self, request: Request, work: Coroutine[Any, Any, Any]) -> Any:
        """Wait until a control is learned or a question answered, or until `Cancel`."""
        task = asyncio.ensure_future(work)
        self._ending[request.id] = task
        try:
            await asyncio.wait([task])
        finally:
            del self._ending[request.id]
            task.cancel()  # the client left
        if task.cancelled():
            raise Problem(409, "cancelled", code="cancelled")
        return task.result()

    # ---------------------------------------------------------------- writing, rights

    async def _write(self, member: Member) -> None:
        key = "text" if self._form.kind is str else "bytes"
        while True:
            try:
                data = await member.outbox.take()
            except TooSlowError:
                raise Closed(LATER, "too slow") from None
            await self._send({"type": "websocket.send", key: data})

    async def _check(self, member: Member) -> None:
        """Close the connection when its session ends or its rights do."""
        while True:
            await asyncio.sleep(RECHECK_S)
            actor = self._recheck()
            if actor is None or "read" not in actor.scopes:
                raise Closed(POLICY, "not signed in any more")
            member.actor = actor
            self._debug.recheck(member)


def _send_error(member: Member, error: Problem | SfaError, about: Any) -> None:
    """Send an error, with what names the message that it is about."""
    found: dict[str, Any] = {"error": described(error)}
    match about:
        case Request():
            found = {"id": about.id, **found}
        case Join():
            found = message(about.join, "error", described(error))
        case Leave():
            found = message(about.leave, "error", described(error))
    member.outbox.put_answer(member.form.encode(found))
