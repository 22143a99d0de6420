"""Records of a streamed answer, from bytes that may be cut anywhere. Pure.

Server-sent events, as far as providers use them [1]_, and JSON by lines (NDJSON).

References
----------
.. [1] WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6.
"""

from __future__ import annotations

from sfa_engine.agents.llm.failure import LlmError

MAX_RECORD = 1 << 20  # bytes of an event: a whole answer of Gemini comes as one


class Lines:
    r"""Lines that end with LF, CR LF or CR; a CR at the end of a piece waits for the next."""

    def __init__(self) -> None:
        self._rest = bytearray()  # of a line that has not ended

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now.

        Raises
        ------
        LlmError
            A line is longer than `MAX_RECORD`.
        """
        is_whole = self._rest.endswith(b"\r") or b"\n" in data or b"\r" in data
        self._rest += data
        if not is_whole:  # a long line in many pieces is not copied at each
            self._check()
            return []
        held = b"\r" if self._rest.endswith(b"\r") else b""
        text = bytes(self._rest[: len(self._rest) - len(held)])
        *lines, rest = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = bytearray(rest + held)
        self._check()
        return lines

    def rest(self) -> bytes:
        """Return the last line, which has no end."""
        return bytes(self._rest).strip()

    def _check(self) -> None:
        if len(self._rest) > MAX_RECORD:
            raise too_large()


class Records:
    """JSON texts by lines; empty lines are skipped."""

    def __init__(self) -> None:
        self._lines = Lines()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records that are complete now."""
        return [line for line in self._lines.feed(data) if line.strip()]

    def end(self) -> list[bytes]:
        """Return what a stream that has ended leaves: its last line may have no end."""
        rest = self._lines.rest()
        return [rest] if rest else []


class Events:
    """Data of server-sent events; names, ids and comments are skipped."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that are complete now."""
        found = []
        for line in self._lines.feed(data):
            if line:
                self._take(line)
            else:
                found += self._flush()
        return found

    def end(self) -> list[bytes]:
        """Return what a stream that has ended leaves.

        An event without its empty line is incomplete by the standard, but some servers end so.
        """
        self._take(self._lines.rest())
        return self._flush()

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name != b"data":
            return
        self._data.append(value.removeprefix(b" "))
        self._size += len(value)
        if self._size > MAX_RECORD:
            raise too_large()

    def _flush(self) -> list[bytes]:
        data, self._data, self._size = self._data, [], 0
        return [b"\n".join(data)] if data else []


def too_large() -> LlmError:
    """Return the error for an answer beyond its limits."""
    return LlmError("its answer is too large", "bad_answer")
