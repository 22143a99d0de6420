"""OpenAI's chat completions, as OpenAI, Azure, LM Studio, LiteLLM and many others speak it. Pure.

A call comes in pieces by ``index``; only the first has ``id`` and ``name``. A last chunk without
choices has ``usage``, then comes ``[DONE]``, which some servers leave out.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct

from sfa_engine.agents.llm.dialect import (
    Dialect,
    Draft,
    ListedModel,
    Quirks,
    decode,
    encoded,
    error_body,
    failure_of,
    functions,
)
from sfa_engine.agents.llm.message import Message, Request, Stop, Usage

DONE = b"[DONE]"
STOPS: dict[str, Stop] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tools",
    "function_call": "tools",
    "content_filter": "refused",
}


class _Function(Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Message(Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Details(Struct):
    cached_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: Any = None


class _Model(Struct):
    id: str


class _Models(Struct):
    data: list[_Model]


class _ChatDraft(Draft):
    def take(self, record: bytes) -> str:
        if record.strip() == DONE:
            self.has_ended = True
            return ""
        chunk = decode(record, _Chunk)
        if chunk.error is not None:
            error = error_body(chunk.error)
            status = error.code if isinstance(error.code, int) else 500
            raise failure_of(status, error, None)
        self.model = chunk.model or self.model
        if chunk.usage is not None:
            details = chunk.usage.prompt_tokens_details or _Details()
            self.usage = Usage(
                chunk.usage.prompt_tokens,
                chunk.usage.completion_tokens,
                details.cached_tokens or 0,
            )
        found = ""
        for choice in (chunk.choices or ())[:1]:
            found = self._take_message(choice.delta or choice.message or _Message())
            if choice.finish_reason and self.stop != "refused":
                self.stop = STOPS.get(choice.finish_reason, "end")
        return found

    def _take_message(self, message: _Message) -> str:
        if message.refusal:
            self.stop = "refused"
        for number, piece in enumerate(message.tool_calls or ()):
            call = self.call(self._place(piece, number))
            function = piece.function or _Function()
            call.id = call.id or piece.id or ""
            call.name = call.name or function.name or ""
            if isinstance(function.arguments, dict):
                call.arguments = function.arguments
            else:
                self.add_arguments(call, function.arguments)
        return self.add_text(message.content or message.refusal)

    def _place(self, piece: _ToolCall, number: int) -> int:
        """Return the place of a call; some servers send whole calls without an index."""
        if piece.index is not None:
            return piece.index
        return len(self.calls) if piece.id else number


class OpenAiChat(Dialect):
    """The dialect."""

    name = "openai"

    def path(self, model: str, quirks: Quirks, *, stream: bool) -> str:  # noqa: ARG002 - in the body
        if quirks.api_version:  # Azure's older address
            return (
                f"/openai/deployments/{quote(model, safe='')}/chat/completions"
                f"?api-version={quote(quirks.api_version, safe='')}"
            )
        return "/chat/completions"

    def body(self, request: Request, model: str, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
        messages = [{"role": "system", "content": request.system}] if request.system else []
        body: dict[str, Any] = {
            "model": model,
            "messages": [*messages, *map(_message, request.messages)],
            quirks.max_tokens: request.max_tokens,
        }
        if request.tools:
            body["tools"] = functions(request.tools, strict=quirks.strict)
        if request.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.schema, "strict": True},
            }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def draft(self) -> Draft:
        return _ChatDraft()

    def listed(self, body: bytes) -> list[ListedModel]:
        return [ListedModel(each.id) for each in decode(body, _Models).data]


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    return {
        "role": "assistant",
        "content": message.text or None,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": encoded(call.arguments)},
            }
            for call in message.calls
        ],
    }
