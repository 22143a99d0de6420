"""Every error of the project, by who must act on it.

A sentence says what, which value, and what to do: ``hint`` is the last part, so that a
program can show it apart. An error is raised to the caller and logged once, at the edge.

`SfaError.to_wire` and `SfaError.from_wire` carry errors between processes: the client raises the
class that the server raised.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

MAX_WORD = 100  # that is looked for among others: a megabyte would hold the stage for 0.1 s
MAX_TEXT = 1000  # characters of a message or hint sent: more than we write, less than one may quote
MAX_CODE = 40


class SfaError(Exception):
    """The root. `code` is stable and meant for programs; it travels over the socket.

    Parameters
    ----------
    message : str
        One line: what is wrong, and with which value.
    hint : str, optional
        What to do about it.
    """

    code = "error"
    _by_code: ClassVar[dict[str, type[SfaError]]] = {}

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in vars(cls):  # a subclass without a code of its own travels as its parent
            SfaError._by_code[cls.code] = cls

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def to_wire(self) -> dict[str, str]:
        """Return the error as plain values that fit a message, whatever the error quotes."""
        return {"code": self.code, "message": _short(self.message), "hint": _short(self.hint)}

    @staticmethod
    def from_wire(said: Mapping[str, Any], default: type[SfaError] | None = None) -> SfaError:
        """Return the error that another process sent.

        Parameters
        ----------
        said : mapping
            ``code``, ``message``, ``hint``, as `to_wire` gives them.
        default : type, optional
            Class of an error whose code this process does not know; `SfaError` itself without one.
        """
        code = str(said.get("code", ""))[:MAX_CODE]
        kind = SfaError._by_code.get(code, default or SfaError)
        error = kind.__new__(kind)  # some classes are constructed from more than two texts
        hint = str(said.get("hint", ""))[:MAX_TEXT]
        SfaError.__init__(error, str(said.get("message", ""))[:MAX_TEXT], hint)
        error.code = code or kind.code
        return error


def _short(text: str) -> str:
    """Return a text that can be sent: a file's name may have bytes that are not UTF-8."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


class Refused(SfaError):  # noqa: N818 - a refusal is an answer, not a fault
    """The request is wrong: it is answered, not logged."""

    code = "refused"


class Absent(Refused):
    """There is no such thing, or it is another account's."""

    code = "absent"


class Locked(Refused):
    """A set is played, and the session's lock refuses what could ruin it."""

    code = "locked"


class Planned(Refused):
    """The control is declared, but its sound comes with a later release."""

    code = "planned"


class Forbidden(Refused):
    """The connection has not been granted the scope that the verb needs."""

    code = "forbidden"


class ProtocolError(Refused):
    """What came is not the protocol, or another version of it: the connection ends."""

    code = "protocol"


class DeviceError(SfaError):
    """The sound device, or the right to use it properly, is missing."""

    code = "device"


class EngineError(SfaError):
    """A process of the engine is not there, or does not answer."""

    code = "engine"


class BusyError(SfaError):
    """A process serves as many clients as it can: retry later."""

    code = "busy"


class FaultError(SfaError):
    """A fault of ours that a request brought to light; its traceback is in the log."""

    code = "fault"

    @classmethod
    def of(cls, error: BaseException) -> FaultError:
        """Return what to tell of an exception that was not expected."""
        return cls(
            f"a fault in the engine: {type(error).__name__}: {error}", "see `sfa log`; report it"
        )


class MediaError(SfaError):
    """A file or a bundle cannot be read, or is not what it says."""

    code = "media"


class WorkerError(SfaError):
    """A worker program failed, or had to be ended."""

    code = "worker"


class LibraryError(SfaError):
    """The library's database or its folders cannot be used as they are."""

    code = "library"


# What may pass by itself: the process is started again, or in this version after an update, the
# disk gets space, the lock is let go.
RETRYABLE = (EngineError, BusyError, LibraryError, FaultError, ProtocolError)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return ``did you mean "…"?`` for the nearest of some words, or an empty string."""
    if len(word) > MAX_WORD:
        return ""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""
