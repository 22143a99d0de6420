"""Models that say what a test has written, in the dialect that they are asked in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fake_llm import (
    INPUT,
    MODEL,
    OUTPUT,
    SIGNATURE,
    Invalid,
    Reply,
    Seen,
    answered,
    dialect_of,
    error,
    said,
)

ADAPTERS = ("openai", "anthropic", "google_gemini", "ollama")  # one of each dialect


@dataclass
class Turn:
    """An answer of a model: words, or calls of tools with arguments of any type."""

    text: str = ""
    calls: Sequence[tuple[str, Any]] = ()


@dataclass
class Script:
    """Says one turn after another, then the last one for ever; checks requests as vendors do.

    A turn may be a function of the request, or a reply as it is.
    """

    turns: list[Turn | Reply | Callable[[Seen], Turn | Reply]]
    refused: list[str] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/api/show":
            info = {"general.architecture": "fake", "fake.context_length": 131_072}
            return said({"model_info": info, "capabilities": ["completion", "tools"]})
        if seen.method == "GET":
            return said({"models": [{"name": MODEL, "model": MODEL, "size": 1}]})
        dialect = dialect_of(seen.path)
        try:
            answered(seen, dialect)
        except (Invalid, KeyError, TypeError) as problem:
            self.refused.append(f"{problem}")
            return error(dialect, 400, "invalid_request_error", f"{problem!s:.100}")
        turn: Any = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        turn = turn if isinstance(turn, Turn | Reply) else turn(seen)
        return turn if isinstance(turn, Reply) else reply(dialect, turn, len(json.dumps(seen.body)))


def script(*turns: Turn | Reply | Callable[[Seen], Turn | Reply]) -> Script:
    """Return a script of turns."""
    return Script(list(turns))


def reply(dialect: str, turn: Turn, asked_bytes: int = 0) -> Reply:
    """Return a turn as a whole answer of a dialect; streaming clients take it too."""
    answer = _ANSWERS[dialect](turn)
    if dialect == "ollama":  # it reads all of what it was asked
        answer["prompt_eval_count"] = max(INPUT, asked_bytes // 8)
    return said(answer)


def _openai(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None}
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{place}",
                "type": "function",
                "function": {"name": name, "arguments": _text(arguments)},
            }
            for place, (name, arguments) in enumerate(turn.calls)
        ]
    finish = "tool_calls" if turn.calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT}
    return {"id": "x", "created": 1, "model": MODEL, "choices": [choice], "usage": usage}


def _anthropic(turn: Turn) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
    content += [
        {"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": arguments}
        for place, (name, arguments) in enumerate(turn.calls)
    ]
    return {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": "tool_use" if turn.calls else "end_turn",
        "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT},
    }


def _gemini(turn: Turn) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": turn.text}] if turn.text else []
    parts += [
        {
            "functionCall": {"id": f"fc{place}", "name": name, "args": arguments},
            **({"thoughtSignature": SIGNATURE} if place == 0 else {}),
        }
        for place, (name, arguments) in enumerate(turn.calls)
    ]
    counts = {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT}
    content = {"role": "model", "parts": parts}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": MODEL}


def _ollama(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.calls:
        message["tool_calls"] = [
            {"function": {"name": name, "arguments": arguments}} for name, arguments in turn.calls
        ]
    return {
        "model": MODEL,
        "message": message,
        "done": True,
        "done_reason": "stop",
        "eval_count": OUTPUT,
    }


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


_ANSWERS = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
}
