"""A dialect: how requests, answers, streams and errors of one family of APIs look. Pure.

::

    request ─► path, body                     bytes ─► framing ─► Draft.take ─► pieces of text
                                                                    └─► Draft.answer

What a provider sends is converted by msgspec, with unknown fields and events skipped; whatever
does not fit is a `bad_answer`, never another exception.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import msgspec

from sfa_engine.agents.llm.failure import Kind, LlmError, kind_of
from sfa_engine.agents.llm.framing import Events, Records, too_large
from sfa_engine.agents.llm.message import Answer, Request, Stop, Tool, ToolCall, Usage
from sfa_engine.system.http import parse_retry_after

MAX_BYTES = 4 << 20  # of an answer, with its framing: 128,000 tokens take 0.5 MB as text
MAX_TEXT = 1 << 20  # characters of an answer's text
MAX_CALLS = 32  # in one answer
MAX_QUOTE = 200  # characters of a provider's message, in an error
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
# Codes of errors that a wait does not help, whatever the status.
SPENT = frozenset({"insufficient_quota", "billing_error", "enforced_spend_limit_reached"})
INVALID_KEY = frozenset({"API_KEY_INVALID", "invalid_api_key"})  # Gemini answers 400
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window)|prompt is too long|too many tokens", re.IGNORECASE
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a provider lists.

    Attributes
    ----------
    name : str
    context : int, optional
        Tokens, if the list says.
    """

    name: str
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Quirks:
    """Where providers of one dialect differ.

    Attributes
    ----------
    max_tokens : str
        The field's name.
    strict : bool
        Whether ``strict`` is understood.
    api_version : str
        Of Azure's older address; empty for the new one.
    num_ctx : int
        The context that is asked of Ollama, which would cut at its own.
    """

    max_tokens: str = "max_tokens"
    strict: bool = False
    api_version: str = ""
    num_ctx: int = 0


@dataclass
class PartialCall:
    """A call whose arguments come in pieces."""

    id: str = ""
    name: str = ""
    text: str = ""
    arguments: Any = None


@dataclass
class Draft(ABC):
    """An answer while it is read."""

    texts: list[str] = field(default_factory=list)
    calls: dict[int, PartialCall] = field(default_factory=dict)
    stop: Stop | None = None
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    length: int = 0
    has_ended: bool = False  # by its own mark: what follows is not read

    @abstractmethod
    def take(self, record: bytes) -> str:
        """Read a record of the stream; return the text in it."""

    def take_whole(self, body: bytes) -> None:
        """Read an answer that was not streamed."""
        self.take(body)

    @property
    def is_complete(self) -> bool:
        """Whether the provider said why it stopped; some leave the mark of the end out."""
        return self.stop is not None

    def raw(self) -> tuple[str, Any] | None:
        """Return the answer as it came, where it has to go back unchanged."""
        return None

    def answer(self) -> Answer:
        """Return the whole answer."""
        calls = tuple(_call(place, each) for place, each in enumerate(self.calls.values(), 1))
        stop: Stop = self.stop or "end"
        if calls and stop == "end":  # as Gemini and Ollama have it
            stop = "tools"
        return Answer("".join(self.texts), calls, stop, self.usage, self.model, self.raw())

    def add_text(self, text: str | None) -> str:
        """Add a piece of text, and return it."""
        if not text:
            return ""
        self.length += len(text)
        if self.length > MAX_TEXT:
            raise too_large()
        self.texts.append(text)
        return text

    def call(self, place: int) -> PartialCall:
        """Return the call at a place, which may be new."""
        if place not in self.calls and len(self.calls) >= MAX_CALLS:
            raise LlmError(f"it calls more than {MAX_CALLS} tools at once", "bad_answer")
        return self.calls.setdefault(place, PartialCall())

    def add_arguments(self, call: PartialCall, text: str | None) -> None:
        """Add a piece of a call's arguments."""
        call.text += text or ""
        self.length += len(text or "")
        if self.length > MAX_TEXT:
            raise too_large()


class Reader:
    """Reads a streamed answer.

    Parameters
    ----------
    framing : Events or Records
    draft : Draft
    """

    def __init__(self, framing: Events | Records, draft: Draft) -> None:
        self._framing = framing
        self._draft = draft
        self._size = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more has to be read."""
        return self._draft.has_ended

    @property
    def usage(self) -> Usage:
        """What is known of it so far."""
        return self._draft.usage

    def feed(self, data: bytes) -> list[str]:
        """Return the pieces of text that are complete now.

        Raises
        ------
        LlmError
            The stream has an error in it, cannot be read, or is too large.
        """
        self._size += len(data)
        if self._size > MAX_BYTES:
            raise too_large()
        return self._take(self._framing.feed(data))

    def end(self) -> list[str]:
        """Return the pieces of text that a stream which ended leaves.

        Raises
        ------
        LlmError
            It ended before the answer did.
        """
        found = self._take(self._framing.end())
        if not self._draft.is_complete:
            raise LlmError("it broke off its answer", "unreachable", usage=self.usage)
        return found

    def answer(self) -> Answer:
        """Return the whole answer."""
        return self._draft.answer()

    def _take(self, records: list[bytes]) -> list[str]:
        found = []
        for record in records:
            if self._draft.has_ended:
                break
            text = self._draft.take(record)
            if text:
                found.append(text)
        return found


class Dialect(ABC):
    """One family of APIs."""

    name: ClassVar[str]
    framing: ClassVar[type[Events | Records]] = Events

    @abstractmethod
    def path(self, model: str, quirks: Quirks, *, stream: bool) -> str:
        """Return the path below the provider's address."""

    @abstractmethod
    def body(self, request: Request, model: str, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
        """Return the body of a request."""

    @abstractmethod
    def draft(self) -> Draft:
        """Return an answer to be read."""

    @abstractmethod
    def listed(self, body: bytes) -> list[ListedModel]:
        """Return the models of a provider's list."""

    def reader(self) -> Reader:
        """Return what reads a stream."""
        return Reader(self.framing(), self.draft())

    def read(self, body: bytes) -> Answer:
        """Return an answer that was not streamed.

        Raises
        ------
        LlmError
            It is an error, or cannot be read.
        """
        draft = self.draft()
        draft.take_whole(body)
        if not draft.is_complete:
            raise LlmError("its answer has no end", "bad_answer", usage=draft.usage)
        return draft.answer()

    def failure(
        self, status: int, headers: Mapping[str, str], body: bytes, now_s: float
    ) -> LlmError:
        """Return the error of a response that is not a success.

        Parameters
        ----------
        status : int
            Of HTTP.
        headers : mapping
            By their names in lower case.
        body : bytes
        now_s : float
            Time of the clock, since 1970, for dates.
        """
        error = _error_of(body)
        wait_s = _wait(headers, error, now_s)
        failure = failure_of(status, error, wait_s)
        if headers.get("x-should-retry", "").lower() == "false":
            failure.may_retry = False
        return failure


class ErrorBody(msgspec.Struct):
    """An error as providers describe it; types differ, so they are looked at one by one."""

    message: Any = ""
    type: Any = ""
    code: Any = ""
    status: Any = ""
    details: Any = None

    @property
    def codes(self) -> set[str]:
        """The words in it that name its kind."""
        found = [self.type, self.code, self.status]
        details = self.details if isinstance(self.details, list) else [self.details]
        for each in details:
            if isinstance(each, dict):
                found += [each.get("error_code"), each.get("reason")]
        return {each for each in found if isinstance(each, str)}

    @property
    def retry_delay(self) -> str:
        """The wait in Gemini's details, as ``46s``."""
        for each in self.details if isinstance(self.details, list) else ():
            if isinstance(each, dict) and isinstance(each.get("retryDelay"), str):
                return str(each["retryDelay"])
        return ""


class _Failed(msgspec.Struct):
    error: Any = None


def failure_of(status: int, error: ErrorBody, wait_s: float | None) -> LlmError:
    """Return the error of a status and what the provider says of it."""
    kind: Kind = kind_of(status)
    text = error.message if isinstance(error.message, str) else ""
    if SPENT & error.codes:
        kind = "quota"
    elif INVALID_KEY & error.codes:
        kind = "key_refused"
    elif kind == "bad_request" and (
        "context_length_exceeded" in error.codes or _TOO_LONG.search(text[:1000])
    ):
        kind = "too_long"
    quoted = f": {text}" if text.strip() else ""  # cut by the client, which knows the key
    return LlmError(
        f"it answered {status}{quoted}",
        kind,
        status=status,
        retry_after_s=wait_s,
        may_retry=status >= 400,  # a redirect is no failure that passes
    )


def error_body(error: Any) -> ErrorBody:
    """Return what is known of an ``error`` of any type."""
    if isinstance(error, str):
        return ErrorBody(message=error)
    try:
        return msgspec.convert(error, ErrorBody)
    except msgspec.ValidationError:
        return ErrorBody()


def decode(record: bytes, kind: type[T]) -> T:
    """Return a record of a provider.

    Raises
    ------
    LlmError
        It is not what it has to be.
    """
    try:
        return msgspec.json.decode(record, type=kind, strict=False)
    except UNREADABLE as error:
        raise LlmError(f"its answer cannot be read: {error!s:.120}", "bad_answer") from None


def functions(tools: Sequence[Tool], *, strict: bool = False) -> list[dict[str, Any]]:
    """Return tools as OpenAI's dialect and Ollama's have them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.sentence,
                "parameters": tool.parameters,
                **({"strict": True} if strict else {}),
            },
        }
        for tool in tools
    ]


def encoded(value: Any) -> str:
    """Return a value as compact JSON."""
    return msgspec.json.encode(value).decode()


def _call(place: int, call: PartialCall) -> ToolCall:
    name, identity = call.name, call.id or f"call_{place}"
    if call.arguments is None and call.text.strip():
        try:
            call.arguments = msgspec.json.decode(call.text)
        except UNREADABLE as error:
            return ToolCall(identity, name, {}, f"the arguments are not JSON: {error!s:.80}")
    if call.arguments is None:
        call.arguments = {}
    if not isinstance(call.arguments, dict):
        return ToolCall(identity, name, {}, "the arguments are not a JSON object")
    return ToolCall(identity, name, call.arguments)


def _error_of(body: bytes) -> ErrorBody:
    try:
        found = msgspec.json.decode(body, type=_Failed | list[_Failed])
    except UNREADABLE:
        return ErrorBody(message=body.decode("utf-8", "replace"))
    one = found if isinstance(found, _Failed) else next(iter(found), _Failed())
    return error_body(one.error)


def _wait(headers: Mapping[str, str], error: ErrorBody, now_s: float) -> float | None:
    """Return how many seconds the provider asks to wait."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    header = headers.get("retry-after", "")
    seconds = _number(header)
    if seconds is None and header:
        seconds = parse_retry_after(header, now_s)
    return duration_s(error.retry_delay) if seconds is None else seconds


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def duration_s(text: str) -> float | None:
    """Return the seconds of ``46s``, ``1.5s`` or ``9h54m``; None if it is none of these."""
    found = _DURATION.fullmatch(text)
    if not text or not found:
        return None
    hours, minutes, seconds = (float(each or 0) for each in found.groups())
    return hours * 3600 + minutes * 60 + seconds
