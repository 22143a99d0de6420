"""Anthropic's messages. Pure.

Thinking blocks go back unchanged; unknown blocks and events are skipped. Neither ``temperature``
nor a forced ``tool_choice`` nor a prefilled answer is sent: the newest models refuse them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from sfa_engine.agents.llm.dialect import (
    Dialect,
    Draft,
    ListedModel,
    Quirks,
    decode,
    error_body,
    failure_of,
)
from sfa_engine.agents.llm.framing import too_large
from sfa_engine.agents.llm.message import Message, Request, Stop, Usage

MAX_BLOCKS = 1000
STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "pause_turn": "paused",
    "refusal": "refused",
}
# Status of an error that comes in the stream, after a 200.
STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Delta(Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Whole(Struct):
    model: str = ""
    content: list[dict[str, Any]] = field(default_factory=list)
    stop_reason: str | None = None
    usage: _Usage | None = None
    type: str = ""
    error: Any = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Whole | None = None
    content_block: dict[str, Any] | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


class _Model(Struct):
    id: str
    max_input_tokens: int | None = None


class _Models(Struct):
    data: list[_Model]


class _MessageDraft(Draft):
    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[int, dict[str, Any]] = {}
        self._counts = _Usage()

    def take(self, record: bytes) -> str:
        event = decode(record, _Event)
        if event.type == "error" or event.error is not None:
            _raise(event.error)
        if event.message is not None:
            self.model = event.message.model or self.model
            self._count(event.message.usage)
        self._count(event.usage)
        if event.type == "content_block_start" and event.content_block is not None:
            return self._begin(event.index, event.content_block)
        if event.type == "content_block_delta" and event.delta is not None:
            return self._add(event.index, event.delta)
        if event.type == "message_delta" and event.delta and event.delta.stop_reason:
            self.stop = STOPS.get(event.delta.stop_reason, "end")
        if event.type == "message_stop":
            self.has_ended = True
        return ""

    def take_whole(self, body: bytes) -> None:
        whole = decode(body, _Whole)
        if whole.error is not None:
            _raise(whole.error)
        self.model = whole.model
        self._count(whole.usage)
        for place, block in enumerate(whole.content):
            self._begin(place, block)
        if whole.stop_reason:
            self.stop = STOPS.get(whole.stop_reason, "end")

    def raw(self) -> tuple[str, Any]:
        for place, call in self.calls.items():
            if isinstance(call.arguments, dict):  # they came in pieces, beside the block
                self._blocks[place]["input"] = call.arguments
        blocks = [self._blocks[place] for place in sorted(self._blocks)]
        # An empty text is refused when it comes back.
        return Anthropic.name, [each for each in blocks if each.get("text") != ""]

    def _begin(self, place: int, block: dict[str, Any]) -> str:
        kind = block.get("type")
        if kind not in {"text", "thinking", "redacted_thinking", "tool_use"}:
            return ""
        if len(self._blocks) >= MAX_BLOCKS:
            raise too_large()
        self._blocks[place] = dict(block)
        if kind == "tool_use":
            call = self.call(place)
            call.id, call.name = str(block.get("id", "")), str(block.get("name", ""))
            call.arguments = block.get("input") or None
        text = block.get("text")
        return self.add_text(text) if kind == "text" and isinstance(text, str) else ""

    def _add(self, place: int, delta: _Delta) -> str:
        block = self._blocks.get(place)
        if block is None:
            return ""
        if delta.type == "text_delta":
            block["text"] = block.get("text", "") + delta.text
            return self.add_text(delta.text)
        if delta.type == "input_json_delta" and place in self.calls:
            self.add_arguments(self.calls[place], delta.partial_json)
        elif delta.type == "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta.thinking
        elif delta.type == "signature_delta":
            block["signature"] = block.get("signature", "") + delta.signature
        return ""

    def _count(self, usage: _Usage | None) -> None:
        """Take counts over; those of a later event are of the whole answer."""
        if usage is None:
            return
        counts = self._counts
        for name in _Usage.__struct_fields__:
            value = getattr(usage, name)
            if value is not None:
                setattr(counts, name, value)
        read, written = counts.cache_read_input_tokens or 0, counts.cache_creation_input_tokens or 0
        total = None if counts.input_tokens is None else counts.input_tokens + read + written
        self.usage = Usage(total, counts.output_tokens, read, written)


class Anthropic(Dialect):
    """The dialect."""

    name = "anthropic"

    def path(self, model: str, quirks: Quirks, *, stream: bool) -> str:  # noqa: ARG002 - in the body
        return "/v1/messages"

    def body(self, request: Request, model: str, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": request.max_tokens,
            "messages": _messages(request.messages),
        }
        if request.system:
            body["system"] = request.system
        if request.tools:
            strict = {"strict": True} if quirks.strict else {}
            body["tools"] = [
                {
                    "name": tool.name,
                    "description": tool.sentence,
                    "input_schema": tool.parameters,
                    **strict,
                }
                for tool in request.tools
            ]
        if request.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        if stream:
            body["stream"] = True
        return body

    def draft(self) -> Draft:
        return _MessageDraft()

    def listed(self, body: bytes) -> list[ListedModel]:
        return [ListedModel(each.id, each.max_input_tokens) for each in decode(body, _Models).data]


def _raise(error: Any) -> None:
    """Raise the error that came in place of an answer, or after its beginning."""
    found = error_body(error)
    status = STATUSES.get(found.type if isinstance(found.type, str) else "", 500)
    raise failure_of(status, found, None)


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the conversation; results of one round are one message, with nothing after them."""
    found: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for message in messages:
        if message.role != "tool":
            results = []
            found.append(_message(message))
            continue
        if not results:
            found.append({"role": "user", "content": results})
        results.append(
            {
                "type": "tool_result",
                "tool_use_id": message.call_id,
                "content": message.text,
                "is_error": message.is_error,
            }
        )
    return found


def _message(message: Message) -> dict[str, Any]:
    if message.raw is not None and message.raw[0] == Anthropic.name:
        return {"role": message.role, "content": message.raw[1]}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    text = [{"type": "text", "text": message.text}] if message.text else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in message.calls
    ]
    return {"role": message.role, "content": [*text, *calls]}
