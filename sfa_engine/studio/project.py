"""A project on the disk: a folder with a log of edits, to which lines are appended, and a snapshot.

::

    Friday.sfaproject/
        edits.jsonl         an edit a line: number, time, who, verb, what it changed
        arrangement.json    the state after line n, so that a log which is lost costs the undo alone

The state is the snapshot and the later lines. An edit is on the disk before it is answered; a last
line that a power cut left unfinished is dropped. Undo and redo are lines as well: nothing is ever
rewritten. Where a log was cut before the snapshot, the state stays, and what can be undone is lost;
a line that is damaged is an error until the project is repaired: then all before it stays. The old
log is kept beside. One process writes at a time.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from msgspec import Struct

from sfa_engine.errors import BusyError, MediaError, Refused
from sfa_engine.studio.arrangement import Arrangement, check
from sfa_engine.studio.edits import edited
from sfa_engine.studio.patch import Change, apply, difference
from sfa_engine.system.atomic import atomic_directory, sync, write_durably

ENDING = ".sfaproject"
LOG, STATE = "edits.jsonl", "arrangement.json"
DAMAGED = "edits-damaged"  # and a number
MAX_LINE = 16 << 20  # bytes
EVERY = 200  # edits between two snapshots

Kind = Literal["edit", "undo", "redo"]


class Edit(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the log.

    Parameters
    ----------
    number : int
        From 1 on.
    at : float
        Seconds since 1970, UTC.
    who : str
    verb : str
        Of `sfa_engine.studio.edits.VERBS`; of an undo or redo, that of the edit.
    values : dict
        Its arguments.
    changes : tuple of Change
    kind : str
        ``edit``, ``undo`` or ``redo``.
    of : int
        Number of the line that is undone or redone.
    """

    number: int
    at: float
    who: str
    verb: str
    values: dict[str, Any]
    changes: tuple[Change, ...]
    kind: Kind = "edit"
    of: int = 0


class Snapshot(Struct, frozen=True, forbid_unknown_fields=True):
    """The state after a line of the log; `number` 0: before the first."""

    number: int
    arrangement: Arrangement


class Project:
    """A project that is open; see the module.

    Parameters
    ----------
    folder : Path
    writable : bool
        Whether it can be edited: then no other process can.
    repair : bool
        Whether to drop a damaged line of the log and all after it; needs `writable`.

    Attributes
    ----------
    arrangement : Arrangement
        Its state; read only.
    edits : list of Edit
        All lines of the log; read only.
    notes : list of str
        What was wrong with the log.

    Raises
    ------
    MediaError
        It is not a project, or it is damaged.
    BusyError
        Another process edits it.
    """

    def __init__(self, folder: Path, *, writable: bool = True, repair: bool = False) -> None:
        self.folder = folder
        self.arrangement = Arrangement()
        self.edits: list[Edit] = []
        self.notes: list[str] = []
        self.number = 0
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._snapshot = 0
        self._log = self._opened(writable)
        try:
            self._read(writable, repair and writable)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, folder: Path, arrangement: Arrangement | None = None) -> Project:
        """Make a project that begins with an arrangement; return it, open."""
        start = arrangement or Arrangement()
        check(start)
        if folder.exists():
            raise Refused(f'"{folder.name}" exists', "choose another name")
        with atomic_directory(folder, STATE, "a project") as part:
            (part / LOG).touch()
            write_durably(part / STATE, _encoded(Snapshot(0, start)))
            sync(part / LOG)
        return cls(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def edit(self, verb: str, values: Mapping[str, Any], who: str = "") -> Edit:
        """Edit the arrangement; on return it is on the disk.

        Parameters
        ----------
        verb : str
            Of `sfa_engine.studio.edits.VERBS`.
        values : mapping
        who : str
            Name of who edits, for the log.

        Raises
        ------
        Refused
            See `sfa_engine.studio.edits.edited`; nothing has changed.
        MediaError
            It cannot be written; nothing has changed.
        """
        new = edited(self.arrangement, verb, values)
        changes = difference(self.arrangement, new)
        return self._append(verb, dict(values), changes, who)

    def undo(self, who: str = "") -> Edit:
        """Undo the last edit that is not undone; return the new line."""
        if not self._done:
            raise Refused("there is nothing to undo", "see `sfa project log`")
        last = self._done[-1]
        changes = tuple(change.inverse for change in reversed(last.changes))
        return self._append(last.verb, last.values, changes, who, "undo", last.number)

    def redo(self, who: str = "") -> Edit:
        """Redo the edit that was undone last; return the new line."""
        if not self._undone:
            raise Refused("there is nothing to redo", "see `sfa project log`")
        last = self._undone[-1]
        return self._append(last.verb, last.values, last.changes, who, "redo", last.number)

    def save(self) -> None:
        """Write a snapshot."""
        snapshot = Snapshot(self.number, self.arrangement)
        try:
            write_durably(self.folder / STATE, _encoded(snapshot))
        except OSError as problem:
            raise _unwritten(self.folder / STATE, problem) from problem
        self._snapshot = snapshot.number

    def close(self) -> None:
        """End the writing; another process may edit then."""
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    # ------------------------------------------------------------------ reading

    def _opened(self, writable: bool) -> int:
        path = self.folder / LOG
        try:
            log = os.open(path, os.O_RDWR | os.O_APPEND if writable else os.O_RDONLY)
        except OSError as problem:
            raise MediaError(
                f'"{self.folder}" is not a project: {problem.strerror}',
                f"give a folder NAME{ENDING}",
            ) from None
        if writable:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(log)
                raise BusyError(
                    f'"{self.folder.name}" is being edited by another process', "close it there"
                ) from None
            except OSError:  # a network file system without locks
                pass
        return log

    def _read(self, writable: bool, repair: bool) -> None:
        state = self._read_snapshot()
        self.arrangement, self.number = state.arrangement, state.number
        self._snapshot = state.number
        whole = 0
        try:
            for line, end in self._lines():
                self._take(line)
                whole = end
        except MediaError as problem:
            if not repair:
                raise
            self.notes.append(str(problem))
        last = self.edits[-1].number if self.edits else 0
        if self.edits and last < state.number:
            self.notes.append(f"the log ends at edit {last}, the state at edit {state.number}")
            whole = 0
            for known in (self.edits, self._done, self._undone):
                known.clear()
        try:
            check(self.arrangement)
        except Refused as problem:
            raise MediaError(f'"{self.folder}" is damaged: {problem}', "restore it") from None
        if not writable:
            return
        if self.notes:
            self._set_aside(whole)
        elif os.fstat(self._log).st_size > whole:
            os.ftruncate(self._log, whole)  # an edit that was never answered

    def _take(self, line: bytes) -> None:
        """Take a line of the log: its place in the history, and its changes if they are new."""
        edit = self._parsed(line)
        is_new = edit.number > self._snapshot
        try:
            after = apply(self.arrangement, edit.changes) if is_new else self.arrangement
        except MediaError as problem:
            raise self._damaged(str(problem)) from None
        self._remember(edit)
        self.edits.append(edit)
        if is_new:
            self.arrangement, self.number = after, edit.number

    def _set_aside(self, whole: int) -> None:
        """Copy the log to a file beside it, and cut it where it is no longer good."""
        content = (self.folder / LOG).read_bytes()
        taken = {path.name for path in self.folder.glob(f"{DAMAGED}-*")}
        name = next(
            each for k in range(1, len(taken) + 2) if (each := f"{DAMAGED}-{k}.jsonl") not in taken
        )
        write_durably(self.folder / name, content)
        os.ftruncate(self._log, whole)
        os.fsync(self._log)

    def _read_snapshot(self) -> Snapshot:
        path = self.folder / STATE
        try:
            state = msgspec.json.decode(path.read_bytes(), type=Snapshot)
            check(state.arrangement)
        except OSError as problem:
            raise MediaError(f'"{path}": {problem.strerror}', "restore it") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Refused) as problem:
            raise MediaError(f'"{path}" is damaged: {problem}', "restore it") from None
        return state

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        """Yield each whole line of the log, and where it ends."""
        with os.fdopen(os.dup(self._log), "rb") as file:
            file.seek(0)
            end = 0
            while line := file.readline(MAX_LINE):
                if not line.endswith(b"\n"):
                    return  # not finished, or longer than any that was written
                end += len(line)
                yield line, end

    def _parsed(self, line: bytes) -> Edit:
        place = len(self.edits) + 1
        try:
            edit = msgspec.json.decode(line, type=Edit)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise self._damaged(f"line {place} is damaged: {problem}") from None
        # After a repair the first edit of the log follows the edit of the snapshot.
        expected = self.edits[-1].number + 1 if self.edits else edit.number
        if edit.number != expected or not 1 <= edit.number <= self.number + 1:
            raise self._damaged(f"line {place} is edit {edit.number}")
        return edit

    def _damaged(self, what: str) -> MediaError:
        return MediaError(
            f'"{self.folder / LOG}": {what}', "`sfa project repair` keeps what is before it"
        )

    # ------------------------------------------------------------------ writing

    def _append(
        self,
        verb: str,
        values: dict[str, Any],
        changes: tuple[Change, ...],
        who: str,
        kind: Kind = "edit",
        of: int = 0,
    ) -> Edit:
        new = apply(self.arrangement, changes)
        edit = Edit(self.number + 1, time.time(), who, verb, values, changes, kind, of)
        line = msgspec.json.encode(edit) + b"\n"
        if len(line) > MAX_LINE:
            raise Refused("the edit is too large", "make it in several steps")
        self._write(line)
        self.arrangement, self.number = new, edit.number
        self._remember(edit)
        self.edits.append(edit)
        if edit.number - self._snapshot >= EVERY:
            self.save()
        return edit

    def _write(self, line: bytes) -> None:
        before = os.fstat(self._log).st_size
        try:
            rest = memoryview(line)
            while rest:  # of a disk that is nearly full, a part is written before the error
                rest = rest[os.write(self._log, rest) :]
            os.fsync(self._log)
        except OSError as problem:
            with suppress(OSError):
                os.ftruncate(self._log, before)
            raise _unwritten(self.folder / LOG, problem) from problem

    def _remember(self, edit: Edit) -> None:
        """Keep what can be undone and redone."""
        if edit.kind == "edit":
            self._done.append(edit)
            self._undone.clear()
            return
        source, target = (
            (self._done, self._undone) if edit.kind == "undo" else (self._undone, self._done)
        )
        if not source or source[-1].number != edit.of:
            raise self._damaged(f"edit {edit.number} is the {edit.kind} of what is not there")
        target.append(source.pop())


def _unwritten(path: Path, problem: OSError) -> MediaError:
    return MediaError(
        f'cannot write "{path}": {problem.strerror}', "check the free space and the permissions"
    )


def _encoded(snapshot: Snapshot) -> bytes:
    return msgspec.json.encode(snapshot)
