"""Ollama's own API: JSON by lines, streamed unless `stream` is false. Pure.

Its OpenAI-compatible address is not used: it cannot set the context, and cuts long prompts there.
Calls have no id; a result names the tool.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sfa_engine.agents.llm.dialect import (
    Dialect,
    Draft,
    ListedModel,
    PartialCall,
    Quirks,
    decode,
    error_body,
    failure_of,
    functions,
)
from sfa_engine.agents.llm.framing import Records
from sfa_engine.agents.llm.message import Message, Request, Usage


class _Function(Struct):
    name: str = ""
    arguments: dict[str, Any] | str | None = None


class _ToolCall(Struct):
    function: _Function


class _Message(Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(Struct):
    message: _Message | None = None
    model: str = ""
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


class _Model(Struct):
    name: str = ""
    model: str = ""


class _Models(Struct):
    models: list[_Model]


class _LineDraft(Draft):
    def take(self, record: bytes) -> str:
        line = decode(record, _Line)
        if line.error is not None:
            raise failure_of(500, error_body(line.error), None)
        self.model = line.model or self.model
        message = line.message or _Message()
        for each in message.tool_calls or ():
            call: PartialCall = self.call(len(self.calls))
            call.name = each.function.name
            if isinstance(each.function.arguments, str):
                self.add_arguments(call, each.function.arguments)
            else:
                call.arguments = each.function.arguments
        if line.done:
            self.has_ended = True
            self.stop = "length" if line.done_reason == "length" else "end"
            self.usage = Usage(line.prompt_eval_count, line.eval_count)
        return self.add_text(message.content)


class Ollama(Dialect):
    """The dialect."""

    name = "ollama"
    framing = Records

    def path(self, model: str, quirks: Quirks, *, stream: bool) -> str:  # noqa: ARG002 - in the body
        return "/api/chat"

    def body(self, request: Request, model: str, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
        messages = [{"role": "system", "content": request.system}] if request.system else []
        body: dict[str, Any] = {
            "model": model,
            "messages": [*messages, *map(_message, request.messages)],
            "options": {"num_predict": request.max_tokens, "num_ctx": quirks.num_ctx},
            "stream": stream,
        }
        if request.tools:
            body["tools"] = functions(request.tools)
        if request.schema is not None:
            body["format"] = request.schema
        return body

    def draft(self) -> Draft:
        return _LineDraft()

    def listed(self, body: bytes) -> list[ListedModel]:
        found = [each.model or each.name for each in decode(body, _Models).models]
        return [ListedModel(name) for name in found if name]


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_name": message.tool, "content": message.text}
    calls = [
        {"function": {"name": call.name, "arguments": call.arguments}} for call in message.calls
    ]
    found: dict[str, Any] = {"role": message.role, "content": message.text}
    return found | ({"tool_calls": calls} if calls else {})
