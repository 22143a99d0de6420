"""Google's Gemini. Pure.

A stream is whole candidates as server-sent events, with no mark at the end. What the model thought
counts as output. Parts go back unchanged: their signatures may not be altered.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

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
from sfa_engine.agents.llm.failure import LlmError
from sfa_engine.agents.llm.message import Message, Request, Stop, Usage

STOPS: dict[str, Stop] = {"STOP": "end", "MAX_TOKENS": "length"}
REFUSED = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}
)
PREFIX = "models/"
# In place of the signature of a call that this model has not made; Gemini 3 refuses one without.
FOREIGN = "skip_thought_signature_validator"
UNSIGNED = ("gemini-1", "gemini-2", "gemma")  # models that know no signatures


class _Content(Struct):
    parts: list[dict[str, Any]] = field(default_factory=list)


class _Candidate(Struct):
    content: _Content | None = None
    finish_reason: str | None = field(name="finishReason", default=None)


class _Usage(Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    prompt_feedback: _Feedback | None = None
    error: Any = None


class _Model(Struct, rename="camel"):
    name: str
    input_token_limit: int | None = None
    supported_generation_methods: list[str] | None = None


class _Models(Struct):
    models: list[_Model]


class _CandidateDraft(Draft):
    def __init__(self) -> None:
        super().__init__()
        self._parts: list[dict[str, Any]] = []

    def take(self, record: bytes) -> str:
        chunk = decode(record, _Chunk)
        if chunk.error is not None:
            error = error_body(chunk.error)
            raise failure_of(error.code if isinstance(error.code, int) else 500, error, None)
        self.model = chunk.model_version or self.model
        if chunk.usage_metadata is not None:
            self._count(chunk.usage_metadata)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self.stop = "refused"
        found = ""
        for candidate in (chunk.candidates or ())[:1]:
            for part in candidate.content.parts if candidate.content else ():
                found += self._take_part(part)
            if candidate.finish_reason:
                self._finish(candidate.finish_reason)
        return found

    def raw(self) -> tuple[str, Any]:
        return Gemini.name, self._parts

    def _take_part(self, part: dict[str, Any]) -> str:
        self._parts.append(part)
        called = part.get("functionCall")
        if isinstance(called, dict):
            call = self.call(len(self.calls))
            call.id, call.name = str(called.get("id") or ""), str(called.get("name", ""))
            call.arguments = called.get("args")
        text = part.get("text")
        is_shown = isinstance(text, str) and not part.get("thought")
        return self.add_text(text) if is_shown else ""

    def _finish(self, reason: str) -> None:
        if reason in REFUSED:
            self.stop = "refused"
        elif reason in STOPS:
            self.stop = STOPS[reason]
        else:  # MALFORMED_FUNCTION_CALL, MISSING_THOUGHT_SIGNATURE, OTHER …
            raise LlmError(f"it stopped with {reason:.60}", "bad_answer", usage=self.usage)

    def _count(self, usage: _Usage) -> None:
        thoughts = usage.thoughts_token_count or 0
        output = usage.candidates_token_count
        if output is None and thoughts:
            output = 0  # it thought, and said nothing yet
        given = usage.prompt_token_count
        self.usage = Usage(
            None if given is None else given + (usage.tool_use_prompt_token_count or 0),
            None if output is None else output + thoughts,
            usage.cached_content_token_count or 0,
        )


class Gemini(Dialect):
    """The dialect."""

    name = "gemini"

    def path(self, model: str, quirks: Quirks, *, stream: bool) -> str:  # noqa: ARG002 - one address
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/v1beta/models/{quote(model.removeprefix(PREFIX), safe='')}:{verb}"

    def body(self, request: Request, model: str, quirks: Quirks, *, stream: bool) -> dict[str, Any]:  # noqa: ARG002 - in the path
        generation: dict[str, Any] = {"maxOutputTokens": request.max_tokens}
        if request.schema is not None:
            generation |= {
                "responseMimeType": "application/json",
                "responseJsonSchema": request.schema,
            }
        body: dict[str, Any] = {
            "contents": _contents(request.messages, model),
            "generationConfig": generation,
        }
        if request.system:
            body["systemInstruction"] = {"parts": [{"text": request.system}]}
        if request.tools:
            declared = [
                {
                    "name": tool.name,
                    "description": tool.sentence,
                    "parametersJsonSchema": tool.parameters,
                }
                for tool in request.tools
            ]
            body["tools"] = [{"functionDeclarations": declared}]
        return body

    def draft(self) -> Draft:
        return _CandidateDraft()

    def listed(self, body: bytes) -> list[ListedModel]:
        return [
            ListedModel(each.name.removeprefix(PREFIX), each.input_token_limit)
            for each in decode(body, _Models).models
            if "generateContent" in (each.supported_generation_methods or ["generateContent"])
        ]


def _contents(messages: tuple[Message, ...], model: str) -> list[dict[str, Any]]:
    """Return the conversation; results of one round are parts of one content."""
    signature = (
        {} if model.removeprefix(PREFIX).startswith(UNSIGNED) else {"thoughtSignature": FOREIGN}
    )
    found: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            if not results:
                found.append({"role": "user", "parts": results})
            results.append(_result(message))
            continue
        results = []
        role = "user" if message.role == "user" else "model"
        found.append({"role": role, "parts": _parts(message, signature)})
    return found


def _result(message: Message) -> dict[str, Any]:
    kind = "error" if message.is_error else "output"
    return {
        "functionResponse": {
            "id": message.call_id,
            "name": message.tool,
            "response": {kind: message.text},
        }
    }


def _parts(message: Message, signature: dict[str, str]) -> list[dict[str, Any]]:
    if message.raw is not None and message.raw[0] == Gemini.name:
        parts: list[dict[str, Any]] = message.raw[1]
        return parts
    text = [{"text": message.text}] if message.text or not message.calls else []
    calls = [
        {
            "functionCall": {"id": call.id, "name": call.name, "args": call.arguments},
            **(signature if place == 0 else {}),  # the first of some has it
        }
        for place, call in enumerate(message.calls)
    ]
    return [*text, *calls]
