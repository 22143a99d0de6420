"""Apply messages: set, press, load, and answer the peer. Opens no socket.

An error is answered with ``/sfa/error address sentence``; nothing is raised.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import trio

from sfa_engine.desk import CONTROLS, DECK_NUMBERS, DESK, Text
from sfa_engine.errors import EngineError, FaultError, Locked, Refused, SfaError
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.osc.address import (
    ALIASES,
    TARGETS,
    Sender,
    Target,
    address_of,
    message,
    press_of,
    refusal,
    value_of,
)
from sfa_engine.surfaces.osc.feedback import FORMS, Feedback, Form
from sfa_engine.surfaces.osc.packet import Message, bundles
from sfa_engine.surfaces.osc.peer import EXPIRY_S, Peer, Peers
from sfa_engine.surfaces.osc.raw import publish

logger = logging.getLogger(__name__)
ERROR, PONG, SUBSCRIBED = "/sfa/error", "/sfa/pong", "/sfa/subscribed"
CONTROL, DESCRIBED = "/sfa/control", "/sfa/described"
ANSWERS = {ERROR, PONG, SUBSCRIBED, CONTROL, DESCRIBED}
MAX_AHEAD_S = 3600.0  # of a time tag: more is a wrong clock
MAX_ANSWERS = 64  # of the kernel awaited at a time
MAX_LOADS = 8  # at a time
MAX_SUBSCRIBERS = 16  # each takes up to 2 % of the interpreter's time
MAX_REFUSALS = 256  # cached: finding the nearest of 800 names takes 4 ms
PAGE = 40  # controls in an answer to /sfa/describe: some 5 kB
FULL_RETRY_S = 0.003  # a block of 128 frames, after which the kernel has emptied the ring
FULL_RETRIES = 10
_FOCUS = DESK.session.focus.path
_BROWSE = DESK.browse
# What a peer can do about a deck that is locked; it has no `--force`.
_LOCK_HINT = f"stop the deck, or send {address_of(DESK.session.lock.path)} off"
_LOAD = re.compile(r"/deck(\d)/(load|load_row)")
_DESCRIBED = [c for p, c in CONTROLS.items() if not c.planned]


class Dispatcher:
    """Applies messages.

    Parameters
    ----------
    core : Core
    peers : Peers
    nursery : trio.Nursery
        Where answers are awaited.
    rate_hz : float
        Of feedback, unless a peer requests another.
    """

    def __init__(self, core: Core, peers: Peers, nursery: trio.Nursery, rate_hz: float) -> None:
        self._core = core
        self._conductor = core.conductor
        self._peers = peers
        self._nursery = nursery
        self._rate_hz = rate_hz
        self._answers = self._loads = 0
        self._has_logged = False
        self._refusals: dict[str, Refused] = {}
        self.on_subscribe: Callable[[], None] = lambda: None
        self._verbs: dict[str, Callable[[Peer, Sequence[Any]], None]] = {
            "/sfa/subscribe": self._subscribe,
            "/sfa/unsubscribe": self._unsubscribe,
            "/sfa/resync": self._resync,
            "/sfa/describe": self._describe,
            "/sfa/ping": lambda peer, arguments: self.reply(
                peer, message(PONG, *_plain(arguments))
            ),
            "/transport/play": lambda peer, arguments: self._transport(peer, arguments, True),
            "/transport/stop": lambda peer, arguments: self._transport(peer, arguments, False),
            "/transport/next": lambda peer, arguments: self._browse(peer, arguments, +1),
            "/transport/prev": lambda peer, arguments: self._browse(peer, arguments, -1),
        }

    @property
    def _focus(self) -> int:
        return int(self._conductor.get(_FOCUS))

    def move(self, peer: Peer, target: Target, number: float) -> None:
        """Move a fader, as most messages do. `do` would take three times as long."""
        try:
            is_plain = target.low <= number <= target.high
            if is_plain and target.is_travel:
                number = target.control.scale.value(number)
            self._set(peer, target, number if is_plain else value_of(target, [number]))
        except SfaError as error:
            self.refuse(peer, target.address, error)
        except Exception as error:  # noqa: BLE001 - a bug must not let a peer end the stage
            self._log(peer, target.address, number, error)

    async def do(self, peer: Peer, request: Message) -> None:
        """Apply a message; answer the peer if it is refused."""
        try:
            target = TARGETS.get(request.address.encode())
            if target is not None:
                await self._act(peer, target, request)
            else:
                await self._other(peer, request)
        except SfaError as error:
            self.refuse(peer, request.address, error)
        except Exception as error:  # noqa: BLE001 - as above
            self._log(peer, request.address, request.arguments[:4], error)

    def _log(self, peer: Peer, address: str, arguments: Any, error: Exception) -> None:
        peer.errors += 1
        if not self._has_logged:  # once: a peer could repeat it at any rate
            self._has_logged = True
            logger.error(
                "OSC %.200s %.200r; later ones are counted", address, arguments, exc_info=error
            )
        if peer.may_be_answered(time.monotonic()):
            self._send_error(peer, address, FaultError.of(error))

    async def _other(self, peer: Peer, request: Message) -> None:
        """Apply a message whose address is not a control's own."""
        alias = ALIASES[self._focus].get(request.address.encode())
        is_routed = publish(self._core.raw_bus, peer, request)
        if alias or request.address.startswith("/transport/"):
            peer.uses_aliases = True
            if peer.feedback is not None:
                peer.feedback.include_aliases()
        if alias is not None:
            await self._act(peer, alias, request)
        elif request.address in self._verbs:
            self._verbs[request.address](peer, request.arguments)
        elif load := _LOAD.fullmatch(request.address):
            self._load(peer, int(load[1]), load[2], request)
        elif not is_routed and request.address not in ANSWERS:  # these come from another engine
            peer.errors += 1
            if peer.may_be_answered(time.monotonic()):
                if len(self._refusals) >= MAX_REFUSALS:
                    self._refusals.clear()
                if request.address not in self._refusals:
                    self._refusals[request.address] = refusal(request.address)
                self._send_error(peer, request.address, self._refusals[request.address])

    # ------------------------------------------------------------------ controls

    async def _act(self, peer: Peer, target: Target, request: Message) -> None:
        if target.kind != "button" and not request.arguments:
            self._answer_value(peer, target)
            return
        if target.kind == "reading":
            raise Refused(f"{target.path} is a reading and cannot be set", "subscribe instead")
        when = self._frame(request.at_s) if request.at_s else None
        if target.kind == "button":
            number = press_of(target, request.arguments)
            if number is not None:
                await self._press(peer, target, number, when)
            return
        self._set(peer, target, value_of(target, request.arguments), when)

    def _set(self, peer: Peer, target: Target, value: Any, when: Any = None) -> None:
        if peer.feedback is not None:
            peer.feedback.touch(target.path, time.monotonic())
        done = self._conductor.set_nowait(target.path, value, peer.source, when)
        if target.control.verb and target.control.refusable:
            self._await_answer(peer, target, done)

    async def _press(self, peer: Peer, target: Target, number: float, when: Any) -> None:
        """Press a button; retry while the ring is full, so that no press is lost."""
        for retry in range(FULL_RETRIES):
            try:
                done = self._conductor.press_nowait(target.path, number, peer.source, when)
                break
            except EngineError:
                if retry == FULL_RETRIES - 1:
                    raise
                await trio.sleep(FULL_RETRY_S)
        if target.control.refusable:
            self._await_answer(peer, target, done)

    def _await_answer(self, peer: Peer, target: Target, done: Any) -> None:
        """Answer the peer if the kernel refuses; beyond `MAX_ANSWERS` no answer is awaited."""
        if self._answers >= MAX_ANSWERS:
            return

        async def wait() -> None:
            try:
                await self._conductor.answer(target.path, done)
            except SfaError as error:
                self.refuse(peer, target.address, error)
            finally:
                self._answers -= 1

        self._answers += 1
        self._nursery.start_soon(wait)

    def _frame(self, at_s: float) -> int:
        """Return the engine frame of a wall-clock time.

        Raises
        ------
        Refused
            The time is too far ahead.
        """
        ahead_s = at_s - time.time()
        if ahead_s > MAX_AHEAD_S:
            raise Refused(
                f"a time tag {ahead_s:.0f} s ahead", f"{MAX_AHEAD_S:g} s at most; set the clock"
            )
        memory = self._conductor.memory
        block = memory.snapshot()
        since_s = (time.monotonic_ns() - int(block["monotonic_ns"])) / 1e9
        rate = float(memory.engine["sample_rate"])
        return int(block["frame"]) + max(0, round((since_s + ahead_s) * rate))

    def _answer_value(self, peer: Peer, target: Target) -> None:
        """Answer a message without arguments with the value."""
        sender = Sender(target.address, target.control, travel=target.is_travel)
        answer = sender.message(self._conductor.get(target.path))
        self.reply(peer, answer or message(target.address, None))

    # ------------------------------------------------------------------ verbs

    def _subscribe(self, peer: Peer, arguments: Sequence[Any]) -> None:
        port, rate_hz, form = (*arguments, *(0, 0, "both")[len(arguments) :])[:3]
        if not _is_number(port) or not 0 <= port <= 65_535:
            raise Refused(f"{port!r:.20} is not a port", "send the port that you receive on")
        if not _is_number(rate_hz):
            raise Refused(f"{rate_hz!r:.20} is not a rate", "send how often a second, up to 60")
        if form not in FORMS:
            raise Refused(f"{form!r:.20} is not a form", f"send one of {', '.join(FORMS)}")
        if peer.transport == "udp":
            peer.port, peer.silent_until_s = int(port), 0.0
        self.subscribe(peer, float(rate_hz) or self._rate_hz, form)
        feedback = peer.feedback
        assert feedback is not None
        port = peer.target[1] if peer.transport == "udp" else 0
        self.reply(peer, message(SUBSCRIBED, port, feedback.rate_hz, EXPIRY_S))

    def subscribe(self, peer: Peer, rate_hz: float, form: Form = "both") -> None:
        """Send a peer all values, and from then on changes."""
        self._peers.free_target(peer)
        self._make_room(peer)
        if peer.feedback is not None:
            peer.feedback.renew(rate_hz, form)
        else:
            peer.feedback = Feedback(self._conductor.get, rate_hz, form)
            peer.feedback.last_resync_s = peer.last_resync_s
        if peer.uses_aliases:
            peer.feedback.include_aliases()
        self.on_subscribe()

    def _make_room(self, peer: Peer) -> None:
        """Drop an expired subscription, or refuse one more."""
        others = [each for each in self._peers if each.feedback is not None and each is not peer]
        expired = [each for each in others if not each.gets_feedback and not each.is_fixed]
        if len(others) < MAX_SUBSCRIBERS or peer.is_fixed:
            return
        if not expired:
            raise Refused(f"{MAX_SUBSCRIBERS} subscribers already", "end one: /sfa/unsubscribe")
        min(expired, key=lambda each: each.last_received_s).feedback = None

    def _unsubscribe(self, peer: Peer, _given: Sequence[Any]) -> None:
        if peer.feedback is not None:
            peer.last_resync_s = peer.feedback.last_resync_s
        peer.feedback, peer.is_unsubscribed = None, True
        self.on_subscribe()

    def _resync(self, peer: Peer, _given: Sequence[Any]) -> None:
        if peer.feedback is None:
            raise Refused("not subscribed", "send /sfa/subscribe first")
        peer.feedback.resync()

    def _describe(self, peer: Peer, arguments: Sequence[Any]) -> None:
        """Answer with a page of controls and the start of the next page; -1 after the last."""
        first = arguments[0] if arguments else 0
        if not _is_number(first) or not 0 <= first < len(_DESCRIBED):
            raise Refused(f"entry {first!r:.20}", f"send one from 0 to {len(_DESCRIBED) - 1}")
        first = int(first)
        page = []
        for index, control in enumerate(_DESCRIBED[first : first + PAGE], first):
            scale, is_text = control.scale, isinstance(control, Text)
            ends = () if is_text else (float(scale.low), float(scale.high))
            page.append(
                message(
                    CONTROL,
                    *(index, address_of(control.path), control.kind),
                    *(control.label, scale.unit, control.sentence, *ends),
                )
            )
        following = first + PAGE if first + PAGE < len(_DESCRIBED) else -1
        page.append(message(DESCRIBED, following, len(_DESCRIBED)))
        self.reply(peer, *page)

    def _transport(self, peer: Peer, arguments: Sequence[Any], is_on: bool) -> None:
        if _is_pressed(arguments):
            path = DESK.deck[self._focus + 1].play.path
            target = TARGETS[address_of(path).encode()]
            done = self._conductor.set_nowait(path, is_on, peer.source)
            self._await_answer(peer, target, done)

    def _browse(self, peer: Peer, arguments: Sequence[Any], step: int) -> None:
        if _is_pressed(arguments):
            path = _BROWSE.position.path
            last = max(0.0, float(self._conductor.get(_BROWSE.length.path)) - 1)
            to = min(last, max(0.0, float(self._conductor.get(path)) + step))
            self._conductor.set_nowait(path, to, peer.source)

    def _load(self, peer: Peer, deck: int, verb: str, request: Message) -> None:
        """Load a track by its number, or by its row's; ``session.lock`` is respected."""
        if deck not in DECK_NUMBERS:
            raise Refused(f"no deck {deck}", f"there are {len(DECK_NUMBERS)}")
        number = request.arguments[0] if request.arguments else 0
        if request.at_s or not _is_number(number) or number != int(number) or number < 1:
            raise Refused("not a track number", "send a whole number, without a time tag")
        track = int(number)
        if verb == "load_row":
            if track not in _BROWSE.row:
                raise Refused(f"no row {track}", f"send one from 1 to {len(_BROWSE.row)}")
            track = int(self._conductor.get(_BROWSE.row[track].track.path))
            if not track:
                raise Refused(f"row {int(number)} is empty")
        if self._loads >= MAX_LOADS:
            raise Refused("too many loads at a time", "wait for one to end")

        async def load() -> None:
            try:
                await self._core.deck_load(deck, track=f"#{track}")
            except Locked as error:
                self.refuse(peer, request.address, Locked(error.message, _LOCK_HINT))
            except SfaError as error:
                self.refuse(peer, request.address, error)
            finally:
                self._loads -= 1

        self._loads += 1
        self._nursery.start_soon(load)

    # ------------------------------------------------------------------ answers

    def reply(self, peer: Peer, *messages: bytes) -> None:
        """Send messages to a peer: one as it is, several in bundles."""
        packets = list(messages) if len(messages) == 1 else list(bundles(messages))
        if self._peers.may_send(peer, sum(map(len, packets)), time.monotonic()):
            peer.send(packets)

    def refuse(self, peer: Peer, address: str, error: SfaError) -> None:
        """Send a peer an error, unless it gets too many."""
        peer.errors += 1
        if peer.may_be_answered(time.monotonic()):
            self._send_error(peer, address, error)

    def _send_error(self, peer: Peer, address: str, error: SfaError) -> None:
        self.reply(peer, message(ERROR, address[:200], str(error)[:400]))


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _is_pressed(arguments: Sequence[Any]) -> bool:
    return not arguments or arguments[0] is True or (_is_number(arguments[0]) and arguments[0] != 0)


def _plain(arguments: Sequence[Any]) -> list[Any]:
    """Return the arguments that can be echoed."""
    kinds = (str, int, float)
    return [v[:200] if isinstance(v, str) else v for v in arguments[:8] if isinstance(v, kinds)]
