"""A server on 127.0.0.1 that speaks as the providers of language models do: four dialects.

It checks what it is sent as strictly as the vendors document it, answers with a text and a tool
call, streamed or not, and can be made to fail: `FakeLlm.replies` are sent first. The vendors' own
SDKs were run against it, see `sdk_check`.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

KEY = "sk-fake-0123456789abcdefghijklmnopqrstuvwxyz"
MODEL = "fake-1"
TEXT = "Grüße, 8A."  # two characters of two bytes each
ARGUMENTS = {"words": "dark techno", "bpm": 126}
TOOL = "library_search"
SIGNATURE = "c2lnbmF0dXJl"
FOREIGN = "skip_thought_signature_validator"  # as documented, for calls of others
INPUT, OUTPUT = 11, 7
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """What is sent.

    Attributes
    ----------
    chunks : list of bytes
        The body; in chunked coding, unless `length` is true.
    pause_s : float
        Before each chunk.
    cut : bool
        Whether the connection is closed without the end of the chunked coding.
    hangs : bool
        Whether nothing more comes after the chunks, but the connection stays.
    """

    status: int = 200
    kind: str = "application/json"
    chunks: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    cut: bool = False
    hangs: bool = False
    refuses: bool = False  # closes at once


def said(value: Any, status: int = 200, **headers: str) -> Reply:
    """Return a value as JSON."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, chunks=[json.dumps(value).encode()], headers=given)


def events(values: Iterable[Any], *, named: bool = False, end: bytes = b"") -> list[bytes]:
    """Return values as server-sent events."""
    return [
        (f"event: {value['type']}\n" if named else "").encode()
        + b"data: "
        + json.dumps(value, ensure_ascii=False).encode()
        + b"\n\n"
        for value in values
    ] + ([end] if end else [])


# ---------------------------------------------------------------- answers of the dialects


def openai_answer(body: dict[str, Any]) -> Reply:
    base = {"id": "chatcmpl-1", "created": 1, "model": MODEL}
    usage = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}
    arguments = json.dumps(ARGUMENTS)
    has_tools, has_schema = bool(body.get("tools")), "response_format" in body
    text = json.dumps({"text": TEXT}) if has_schema else TEXT
    finish = "tool_calls" if has_tools else "stop"
    if not body.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if has_tools:
            function = {"name": TOOL, "arguments": arguments}
            message["tool_calls"] = [{"id": "call_a", "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return said({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[:3]}, {"content": text[3:]}]
    if has_tools:
        first = {"name": TOOL, "arguments": ""}
        call = {"index": 0, "id": "call_a", "type": "function", "function": first}
        deltas.append({"tool_calls": [call]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in (arguments[:9], arguments[9:])
        ]
    chunks = [{"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if body.get("stream_options", {}).get("include_usage"):
        chunks.append({"choices": [], "usage": usage})
    values = [{**base, "object": "chat.completion.chunk", **chunk} for chunk in chunks]
    return Reply(kind="text/event-stream", chunks=events(values, end=b"data: [DONE]\n\n"))


def streamed(*sentences: str, pause_s: float = 0.0, hangs: bool = False) -> Reply:
    """Return an answer of OpenAI's dialect in pieces, a sentence each; it may never end."""
    values: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": f"{each} "}}]} for each in sentences
    ]
    if not hangs:
        usage = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT}
        values.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        values.append({"choices": [], "usage": usage})
    chunks = events(values, end=b"" if hangs else b"data: [DONE]\n\n")
    return Reply(kind="text/event-stream", chunks=chunks, pause_s=pause_s, hangs=hangs)


def anthropic_answer(body: dict[str, Any]) -> Reply:
    has_tools, has_schema = bool(body.get("tools")), "output_config" in body
    text = json.dumps({"text": TEXT}) if has_schema else TEXT
    thinking = {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
    call = {"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": ARGUMENTS}
    stop = "tool_use" if has_tools else "end_turn"
    base = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
    counts = {
        "input_tokens": INPUT - 5,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 3,
    }
    if not body.get("stream"):
        content = [thinking, {"type": "text", "text": text}, *([call] if has_tools else [])]
        whole = {**base, "content": content, "stop_reason": stop, "stop_sequence": None}
        return said({**whole, "usage": {**counts, "output_tokens": OUTPUT}})
    start = {**base, "content": [], "stop_reason": None, "stop_sequence": None}
    start["usage"] = {**counts, "output_tokens": 1}
    arguments = json.dumps(ARGUMENTS)
    values: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        _block(0, {"type": "thinking", "thinking": "", "signature": ""}),
        _delta(0, {"type": "thinking_delta", "thinking": "hm"}),
        _delta(0, {"type": "signature_delta", "signature": SIGNATURE}),
        {"type": "content_block_stop", "index": 0},
        {"type": "ping"},
        _block(1, {"type": "text", "text": ""}),
        _delta(1, {"type": "text_delta", "text": text[:3]}),
        _delta(1, {"type": "text_delta", "text": text[3:]}),
        {"type": "content_block_stop", "index": 1},
    ]
    if has_tools:
        values += [
            _block(2, {**call, "input": {}}),
            _delta(2, {"type": "input_json_delta", "partial_json": ""}),
            _delta(2, {"type": "input_json_delta", "partial_json": arguments[:9]}),
            _delta(2, {"type": "input_json_delta", "partial_json": arguments[9:]}),
            {"type": "content_block_stop", "index": 2},
        ]
    values += [
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT},
        },
        {"type": "message_stop"},
    ]
    return Reply(kind="text/event-stream; charset=utf-8", chunks=events(values, named=True))


def _block(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def gemini_answer(body: dict[str, Any], *, stream: bool) -> Reply:
    has_schema = "responseJsonSchema" in body.get("generationConfig", {})
    text = json.dumps({"text": TEXT}) if has_schema else TEXT
    counts = {
        "promptTokenCount": INPUT,
        "candidatesTokenCount": OUTPUT - 2,
        "thoughtsTokenCount": 2,
        "totalTokenCount": INPUT + OUTPUT,
    }
    call = {
        "functionCall": {"id": "fc1", "name": TOOL, "args": ARGUMENTS},
        "thoughtSignature": SIGNATURE,
    }
    thought = {"text": "hm", "thought": True}
    calls = [call] if body.get("tools") else []
    about = {"modelVersion": MODEL, "responseId": "r1"}

    def chunk(parts: list[Any], **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": parts}
        return {"candidates": [{"content": content, "index": 0, **more}], **about}

    if not stream:
        parts = [thought, {"text": text}, *calls]
        return said({**chunk(parts, finishReason="STOP"), "usageMetadata": counts})
    values = [
        chunk([thought, {"text": text[:3]}]),
        {**chunk([{"text": text[3:]}, *calls], finishReason="STOP"), "usageMetadata": counts},
    ]
    sent = [each.replace(b"\n", b"\r\n") for each in events(values)]
    return Reply(kind="text/event-stream", chunks=sent)


def ollama_answer(body: dict[str, Any]) -> Reply:
    about = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z"}
    text = json.dumps({"text": TEXT}) if body.get("format") else TEXT
    calls = [{"function": {"name": TOOL, "arguments": ARGUMENTS}}] if body.get("tools") else []
    end = {
        **about,
        "done": True,
        "done_reason": "stop",
        "total_duration": 9,
        "load_duration": 1,
        "prompt_eval_count": max(INPUT, len(json.dumps(body)) // 8),
        "prompt_eval_duration": 1,
        "eval_count": OUTPUT,
        "eval_duration": 1,
    }
    message = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = calls
    if body.get("stream", True) is False:
        return said({**end, "message": message})
    lines: list[dict[str, Any]] = [
        {**about, "message": {"role": "assistant", "content": piece}, "done": False}
        for piece in (text[:3], text[3:])
    ]
    if calls:
        called = {"role": "assistant", "content": "", "tool_calls": calls}
        lines.append({**about, "message": called, "done": False})
    lines.append({**end, "message": {"role": "assistant", "content": ""}})
    sent = [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in lines]
    return Reply(kind="application/x-ndjson", chunks=sent)


# ---------------------------------------------------------------- errors of the dialects


def error(dialect: str, status: int, word: str = "", text: str = "no", **headers: str) -> Reply:
    """Return an error in a dialect; `word` is its type, code or status, as the dialect has it."""
    if dialect == "anthropic":
        found: dict[str, Any] = {"type": word, "message": text}
        if word == "enforced_spend_limit_reached":
            found = {"type": "rate_limit_error", "message": text, "details": {"error_code": word}}
        body: Any = {"type": "error", "error": found, "request_id": "req_1"}
    elif dialect == "gemini":
        details: list[Any] = []
        if word == "API_KEY_INVALID":
            word, details = "INVALID_ARGUMENT", [{"@type": "ErrorInfo", "reason": word}]
        delay = headers.pop("delay", "")
        if delay:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            details.append({"@type": kind, "retryDelay": delay})
        body = {"error": {"code": status, "message": text, "status": word, "details": details}}
    elif dialect == "ollama":
        body = {"error": text}
    else:
        body = {"error": {"message": text, "type": "error", "param": None, "code": word or None}}
    return said(body, status, **headers)


# ---------------------------------------------------------------- what is refused


class Invalid(Exception):  # noqa: N818 - as the vendors call it
    """A request that the vendor would refuse."""


def need(condition: object, text: str) -> None:
    if not condition:
        raise Invalid(text)


def check_openai(body: dict[str, Any], path: str) -> None:
    need(body.get("model") or "/deployments/" in path, "model is required")
    need(body.get("messages"), "messages is required")
    need({"max_tokens", "max_completion_tokens"} - set(body), "two limits of tokens")
    need(not {"temperature", "top_p"} & set(body), "reasoning models take no temperature")
    open_calls: set[str] = set()
    for message in body["messages"]:
        role = message["role"]
        need(role in {"system", "user", "assistant", "tool"}, f"role {role}")
        if role == "tool":
            need(message["tool_call_id"] in open_calls, "a tool message without its call")
            open_calls.discard(message["tool_call_id"])
            continue
        need(not open_calls, "a call has no result")
        for call in message.get("tool_calls", ()):
            need(isinstance(call["function"]["arguments"], str), "arguments are JSON text")
            open_calls.add(call["id"])
    for tool in body.get("tools", ()):
        need(tool["type"] == "function" and tool["function"]["name"], "a tool is a function")
        if tool["function"].get("strict"):
            check_strict(tool["function"]["parameters"])
    schema = body.get("response_format")
    if schema:
        need(schema["type"] == "json_schema", "response_format.type")
        need(re.fullmatch(r"[\w-]{1,64}", schema["json_schema"]["name"]), "json_schema.name")


def check_strict(schema: dict[str, Any]) -> None:
    need(schema.get("additionalProperties") is False, "additionalProperties must be false")
    need(set(schema["required"]) == set(schema["properties"]), "every property is required")


def check_anthropic(body: dict[str, Any]) -> None:
    need(body.get("model") and isinstance(body.get("max_tokens"), int), "max_tokens is required")
    need(not {"temperature", "top_p", "top_k"} & set(body), "sampling parameters are refused")
    need("tool_choice" not in body or body["tool_choice"]["type"] == "auto", "forced tool")
    need(isinstance(body.get("system", ""), str | list), "system")
    messages = body["messages"]
    need(messages and messages[-1]["role"] == "user", "no prefilled answer")
    open_calls: set[str] = set()
    for message in messages:
        need(message["role"] in {"user", "assistant"}, f"role {message['role']}")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        need(blocks, "empty content")
        results = {each["tool_use_id"] for each in blocks if each["type"] == "tool_result"}
        need(results == open_calls, "tool_use ids without tool_result, or the reverse")
        if results:
            need(all(each["type"] == "tool_result" for each in blocks), "text after results")
        for each in blocks:
            need(each["type"] != "text" or each["text"], "text content blocks must be non-empty")
            if each["type"] == "thinking":
                need(each["signature"] == SIGNATURE, "the signature was altered")
        open_calls = {each["id"] for each in blocks if each["type"] == "tool_use"}
    for tool in body.get("tools", ()):
        need(tool["input_schema"]["type"] == "object", "input_schema")
    schema = body.get("output_config", {}).get("format")
    need(schema is None or schema["type"] == "json_schema", "output_config.format")


def check_gemini(body: dict[str, Any]) -> None:
    need(body.get("contents"), "contents is required")
    open_calls: list[str] = []
    for content in body["contents"]:
        need(content.get("role", "user") in {"user", "model"}, f"role {content.get('role')}")
        need(content["parts"], "parts must not be empty")
        answered = [
            each["functionResponse"] for each in content["parts"] if "functionResponse" in each
        ]
        need([each["name"] for each in answered] == open_calls, "one response for each call")
        need(all(isinstance(each["response"], dict) for each in answered), "response is an object")
        calls = [each for each in content["parts"] if "functionCall" in each]
        open_calls = [each["functionCall"]["name"] for each in calls]
        for each in calls:
            need(isinstance(each["functionCall"]["args"], dict), "args is an object")
            signature = each.get("thoughtSignature", SIGNATURE)
            need(signature in {SIGNATURE, FOREIGN}, "signature was altered")
    for tool in body.get("tools", ()):
        need(all(each["name"] for each in tool["functionDeclarations"]), "a tool has no name")


def check_ollama(body: dict[str, Any]) -> None:
    need(body.get("model"), "model is required")
    for message in body["messages"]:
        need(message["role"] in {"system", "user", "assistant", "tool"}, message["role"])
        need(isinstance(message.get("content", ""), str), "content is a text")
        for call in message.get("tool_calls") or ():
            need(isinstance(call["function"]["arguments"], dict), "arguments is an object")


# ---------------------------------------------------------------- the server


def dialect_of(path: str) -> str:
    """Return the dialect of a path."""
    if path.startswith("/v1/messages"):
        return "anthropic"
    if "enerateContent" in path:
        return "gemini"
    return "ollama" if path.startswith("/api/") else "openai"


class FakeLlm:
    """The server; in an ``async with``.

    Parameters
    ----------
    key : str
        That every request has to bring; empty for none.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.seen: list[Seen] = []
        self.replies: list[Reply | Callable[[Seen], Reply]] = []
        self.always: Reply | Callable[[Seen], Reply] | None = None
        self.url = ""
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def asked(self) -> list[Seen]:
        """The requests that a model would have answered."""
        return [each for each in self.seen if each.method == "POST" and "show" not in each.path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client, or the test, is done
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(method, path, headers, json.loads(body) if body else None)
        self.seen.append(seen)
        reply = self._reply(seen)
        if reply.refuses:
            return False
        return await self._send(writer, reply)

    def _reply(self, seen: Seen) -> Reply:
        planned = self.replies.pop(0) if self.replies else self.always
        if planned is not None:
            return planned if isinstance(planned, Reply) else planned(seen)
        path, dialect = seen.path, dialect_of(seen.path)
        if self.key and path != "/health/liveliness" and not self._has_key(seen, dialect):
            return error(dialect, 401, "invalid_api_key", "the key is not valid")
        if seen.method == "GET":
            return self._listed(path, is_google="x-goog-api-key" in seen.headers)
        if path == "/api/show":
            info = {"general.architecture": "fake", "fake.context_length": 8192}
            return said({"model_info": info, "capabilities": ["completion", "tools"]})
        try:
            return answered(seen, dialect)
        except (Invalid, KeyError, TypeError) as problem:
            return error(dialect, 400, "invalid_request_error", f"{problem!s:.100}")

    def _has_key(self, seen: Seen, dialect: str) -> bool:
        names = {
            "anthropic": ("x-api-key", "authorization"),
            "gemini": ("x-goog-api-key",),
            "ollama": ("authorization", "host"),  # needs none
        }.get(dialect, ("authorization", "api-key", "x-api-key", "x-goog-api-key"))
        return any(self.key in seen.headers.get(name, "") or name == "host" for name in names)

    def _listed(self, path: str, *, is_google: bool) -> Reply:
        plain = path.partition("?")[0]
        if plain == "/health/liveliness":
            return said("I'm alive!")
        if plain == "/api/tags":
            return said({"models": [{"name": MODEL, "model": MODEL, "size": 1}]})
        if is_google and plain in {"/v1/models", "/v1beta/models"}:
            row = {
                "name": f"models/{MODEL}",
                "inputTokenLimit": 1_048_576,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
            other = {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]}
            return said({"models": [row, other]})
        if plain.endswith("/models"):
            row = {"id": MODEL, "object": "model", "created": 1, "owned_by": "fake"}
            anthropic = {
                "type": "model",
                "display_name": MODEL,
                "created_at": "2026-01-01T00:00:00Z",
            }
            page = {"has_more": False, "first_id": MODEL, "last_id": MODEL}
            return said({"object": "list", "data": [{**anthropic, **row}], **page})
        return error("openai", 404, "not_found", "no route")

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        headers = {"content-type": reply.kind, "transfer-encoding": "chunked", **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        for chunk in reply.chunks:
            if reply.pause_s:
                await writer.drain()
                await asyncio.sleep(reply.pause_s)
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        if reply.hangs:
            await writer.drain()
            await asyncio.sleep(60)
        if reply.cut:
            await writer.drain()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def answered(seen: Seen, dialect: str) -> Reply:
    """Return the usual answer to a request, after checking it."""
    body, path = seen.body, seen.path
    if dialect == "anthropic":
        need(seen.headers.get("anthropic-version"), "anthropic-version is required")
        check_anthropic(body)
        return anthropic_answer(body)
    if dialect == "gemini":
        need("key=" not in path, "the key is in the address")
        need(re.match(r"/v1(beta)?/models/[^/]+:(stream)?[gG]enerateContent", path), path)
        check_gemini(body)
        return gemini_answer(body, stream=":stream" in path)
    if dialect == "ollama":
        need(path == "/api/chat", path)
        check_ollama(body)
        return ollama_answer(body)
    if not path.partition("?")[0].endswith("/chat/completions"):
        return error(dialect, 404, "not_found", "no route")
    check_openai(body, path)
    return openai_answer(body)


@contextmanager
def served() -> Iterator[FakeLlm]:
    """Run the server in a thread of its own, for those that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    fake = FakeLlm()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result()
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
