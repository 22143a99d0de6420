"""The codec of servers and relays: msgspec, with `params` and `result` undecoded. Pure.

The code that knows their type decodes them, once; a relay does not. By then each container has been
checked to hold as many items as it announces, so that a few bytes cannot claim a list of four
billion.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from sfa_engine.errors import Refused, SfaError
from sfa_engine.wire.frames import UNREADABLE, Raw, pack, quoted, unreadable
from sfa_engine.wire.stream import (
    ANSWER,
    NOTIFICATION,
    REQUEST,
    Answer,
    Invalid,
    Message,
    Notification,
    Request,
    Stream,
)

MAX_ID = 1 << 63
_REQUEST = msgspec.msgpack.Decoder(tuple[int, int, str, Raw])
_ACTED = msgspec.msgpack.Decoder(tuple[int, int, str, Raw, Raw])
_FIVE = b"\x95"  # begins a list of five
_ANSWER = msgspec.msgpack.Decoder(tuple[int, int | None, dict[str, str] | None, Raw])
_ANSWER_BEGINS = b"\x94\x01"  # four parts, the first is `ANSWER`; msgpack may write it longer
_NOTIFICATION = msgspec.msgpack.Decoder(tuple[int, str, Raw])
_PARTS = msgspec.msgpack.Decoder(list[Raw])
_INT = msgspec.msgpack.Decoder(int)
_STR = msgspec.msgpack.Decoder(str)


class Connection(Stream):
    """One side of a connection as servers decode it."""

    def __init__(self) -> None:
        super().__init__(parse)


def parse(body: bytes) -> Message:
    """Return the message of a frame's body, or its error."""
    if body.startswith(_ANSWER_BEGINS) and (answer := _answer(body)):
        return answer
    if body[:1] == _FIVE:
        with suppress(*UNREADABLE):
            kind, number, method, params, actor = _ACTED.decode(body)
            if kind == REQUEST and 0 <= number < MAX_ID:
                return Request(number, method, params, actor)
        return _invalid(body)
    with suppress(*UNREADABLE):
        kind, number, method, params = _REQUEST.decode(body)
        if kind == REQUEST and 0 <= number < MAX_ID:
            return Request(number, method, params)
    if answer := _answer(body):
        return answer
    with suppress(*UNREADABLE):
        kind, method, params = _NOTIFICATION.decode(body)
        if kind == NOTIFICATION:
            return Notification(method, params)
    return _invalid(body)


def _answer(body: bytes) -> Answer | None:
    """Return the answer in a frame's body; None if it has none."""
    try:
        kind, about, error, result = _ANSWER.decode(body)
    except UNREADABLE:
        return None
    if kind != ANSWER:
        return None
    return Answer(about, SfaError.from_wire(error) if error is not None else None, result)


def _invalid(body: bytes) -> Invalid:
    """Return the error of a frame's body, with the id of its request if it has one."""
    number: int | None = None
    try:
        parts = _PARTS.decode(body)
        if len(parts) > 1:
            with suppress(*UNREADABLE):
                number = _INT.decode(parts[1])
        if len(parts) in {4, 5} and bytes(parts[0]) == b"\0":
            if number is None or not 0 <= number < MAX_ID:
                what = f"the id {quoted(parts[1])} is not a whole number from 0"
                return Invalid(None, Refused(what))
            with suppress(msgspec.ValidationError):
                _STR.decode(parts[2])  # a text that is not UTF-8 is reported as unreadable
            return Invalid(number, Refused(f"the method {quoted(parts[2])} is not a text"))
    except msgspec.ValidationError:
        pass
    except UNREADABLE as error:
        return Invalid(number, unreadable(error))
    return Invalid(number, Refused("a message is not a request", "send [0, id, method, params]"))


def request(number: int, method: str, params: Any) -> bytes:
    """Return a request as bytes."""
    return pack([REQUEST, number, method, params])


def answer(number: int, result: Any) -> bytes:
    """Return an answer as bytes."""
    return pack([ANSWER, number, None, result])


def failure(number: int | None, error: SfaError) -> bytes:
    """Return an answer with an error, as bytes."""
    return pack([ANSWER, number, error.to_wire(), None])


def notification(method: str, params: Any) -> bytes:
    """Return a notification as bytes."""
    return pack([NOTIFICATION, method, params])
