"""What is said to a model and what it answers, in no provider's dialect. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["user", "assistant", "tool"]
Stop = Literal["end", "length", "tools", "refused", "paused"]
Preference = Literal["quality", "speed", "cost"]
BYTES_PER_TOKEN = 3  # for estimates: 3 to 4 in English and in JSON, by the vendors' tokenizers


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes
    ----------
    name : str
    sentence : str
        What it does.
    parameters : mapping
        JSON Schema in the strict subset: all fields required, ``additionalProperties: false``.
    """

    name: str
    sentence: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for.

    Attributes
    ----------
    id : str
        Of the provider, or ``call_1``, ``call_2`` … where the dialect has none.
    name : str
        As the model wrote it: there may be no such tool.
    arguments : mapping
        Empty if they were not a JSON object.
    problem : str
        Why the arguments could not be read; empty if they could.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A part of the conversation.

    Attributes
    ----------
    role : Role
    text : str
        For the role ``tool``, the result.
    calls : tuple of ToolCall
        Of an assistant.
    call_id, tool : str
        Which call a result answers, and the tool's name.
    is_error : bool
        Whether the result is an error.
    raw : tuple of str and Any, optional
        A dialect and the answer as it came in it. It goes back unchanged in the same dialect:
        thinking blocks and signatures may not be altered.
    """

    role: Role
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    tool: str = ""
    is_error: bool = False
    raw: tuple[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked.

    Attributes
    ----------
    messages : tuple of Message
    system : str
    tools : tuple of Tool
    schema : mapping, optional
        JSON Schema of the answer, which is an object then.
    max_tokens : int
        Of the answer, with what the model thinks.
    """

    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 2048


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as billed; None where the provider does not say.

    Attributes
    ----------
    input : int, optional
        All of it, with what was read from and written to a cache.
    output : int, optional
        With what the model thought.
    cached, cache_written : int
        Of the input.
    """

    input: int | None = None
    output: int | None = None
    cached: int = 0
    cache_written: int = 0

    @property
    def is_known(self) -> bool:
        """Whether both counts are."""
        return self.input is not None and self.output is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes
    ----------
    text : str
    calls : tuple of ToolCall
    stop : Stop
        Why it ended.
    usage : Usage
    model : str
        As the provider names it.
    raw : tuple of str and Any
        As of `Message`.
    provider : str
    cost_usd : float, optional
        None if a price or a count is unknown.
    latency_ms : int
        With all attempts.
    notes : tuple of str
        What the user should know: a prompt that was cut, providers that failed before.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    stop: Stop = "end"
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    raw: tuple[str, Any] | None = None
    provider: str = ""
    cost_usd: float | None = None
    latency_ms: int = 0
    notes: tuple[str, ...] = ()

    @property
    def message(self) -> Message:
        """The answer as a part of the conversation."""
        return Message("assistant", self.text, self.calls, raw=self.raw)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer's text, to be shown at once."""

    text: str


Event = Piece | Answer
