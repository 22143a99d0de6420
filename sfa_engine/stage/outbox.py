"""Messages for backstage, kept in a file until they are delivered.

::

    put ──► messages ──► file (fsynced)          survives the stage, and a power cut
                └──────► backstage: a verb ──► removed; retried while backstage is down

A message replaces an undelivered one of the same key. A delivered one may be sent again by the next
stage: the verb has to be idempotent.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import trio

from sfa_engine.errors import RETRYABLE, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.system.atomic import write_durably

logger = logging.getLogger(__name__)
DELIVERY_RETRY_S = 1.0  # while backstage is down, or its library locked
SAVE_RETRY_S = 1.0  # while the disk is full

Message = TypeVar("Message", bound=msgspec.Struct)


class _Content(msgspec.Struct, Generic[Message], forbid_unknown_fields=True):
    """Content of the file: messages by key, and the sender's state for a restart.

    A file of another version counts as damaged: it is kept, and never read as empty.
    """

    messages: dict[str, Message] = {}
    state: dict[str, str] = {}


class Outbox(Generic[Message]):
    """A persistent queue of the parameters of one verb of backstage.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of backstage's socket.
    path : pathlib.Path
        The file; it does not exist while it would be empty.
    verb : str
    message : type
        A struct with the parameters of the verb.

    Attributes
    ----------
    messages : dict
        Undelivered ones, by key.
    is_damaged : bool
        Whether the file of the previous stage was invalid, and put aside.
    """

    def __init__(self, runtime: Path, path: Path, verb: str, message: type[Message]) -> None:
        self._runtime = runtime
        self._path = path
        self._verb = verb
        self.is_damaged = False
        self._saved = b""
        content = self._read(msgspec.json.Decoder(_Content[message]))  # type: ignore[valid-type]
        self.messages: dict[str, Message] = content.messages
        self.state: dict[str, str] = content.state
        self._saved = self._encode()
        self._version = self._saved_version = 0  # of the content
        self._changed, self._arrived, self._written = trio.Event(), trio.Event(), trio.Event()
        if self.messages:
            self._arrived.set()

    def put(self, key: str, message: Message) -> None:
        """Queue a message, in place of an undelivered one of the same key."""
        self.messages.pop(key, None)
        self.messages[key] = message
        self._arrived.set()
        self._change()

    def put_state(self, state: dict[str, str]) -> None:
        """Keep the sender's state for a restart."""
        if self.state != state:
            self.state = state
            self._change()

    def _change(self) -> None:
        self._version += 1
        self._changed.set()

    @property
    def is_saved(self) -> bool:
        """Whether everything is on the disk."""
        return self._saved_version == self._version

    async def wait_saved(self, timeout_s: float) -> None:
        """Wait until everything is on the disk; no longer than that while the disk hangs."""
        with trio.move_on_after(timeout_s):
            while not self.is_saved:
                await self._written.wait()

    def save(self) -> None:
        """Write the file now.

        Raises
        ------
        OSError
            It cannot be written.
        """
        self._write(self._encode(), self._version)

    # ------------------------------------------------------------------ delivery

    async def run(self) -> None:
        """Save and deliver until cancelled; the last messages are saved before this ends."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_saved)
                nursery.start_soon(self._keep_delivered)
        finally:
            with suppress(OSError):
                self.save()

    async def _keep_saved(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            try:
                await trio.to_thread.run_sync(self._write, self._encode(), self._version)
                self._notify_written()
            except OSError as error:
                logger.warning("%s: %s", self._path, error)
                self._changed.set()
                await trio.sleep(SAVE_RETRY_S)

    async def _keep_delivered(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived = trio.Event()
            while self.messages:
                if not await self._deliver_all():
                    await trio.sleep(DELIVERY_RETRY_S)

    async def _deliver_all(self) -> bool:
        """Send every message; return whether none has to be retried."""
        is_done = True
        for key, message in list(self.messages.items()):
            try:
                params = msgspec.structs.asdict(message)
                await ask_backstage(self._runtime, self._verb, **params)
            except RETRYABLE:  # this one waits, the others do not
                is_done = False
                continue
            except SfaError as error:  # it would be refused again
                logger.warning("%s of %s was refused: %s", self._verb, params, error)
            if self.messages.get(key) is message:
                del self.messages[key]
                self._change()
        return is_done

    # ------------------------------------------------------------------ the file

    def _read(self, decoder: msgspec.json.Decoder[_Content[Message]]) -> _Content[Message]:
        """Return what the previous stage left; a damaged file is put aside."""
        try:
            return decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return _Content()
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read: %s", self._path, error)
        self.is_damaged = True
        with suppress(OSError):
            self._path.rename(self._path.with_suffix(".damaged"))
        return _Content()

    def _encode(self) -> bytes:
        if not self.messages and not self.state:
            return b""
        content: _Content[Any] = _Content(self.messages, self.state)
        return msgspec.json.encode(content)

    def _write(self, content: bytes, version: int) -> None:
        if content != self._saved:
            if content:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_durably(self._path, content.decode())
            else:
                self._path.unlink(missing_ok=True)
        self._saved, self._saved_version = content, version

    def _notify_written(self) -> None:
        self._written.set()
        self._written = trio.Event()
