"""Passwords by Argon2id, one at a time, in a thread of low priority.

19 MiB, 2 passes, 1 lane take 23 ms of a core (OWASP's first choice [1]_); argon2-cffi's own default
takes 180 ms and four threads, a burst beside the audio thread.

References
----------
.. [1] OWASP, "Password Storage Cheat Sheet".
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Meta

from sfa_engine.errors import Refused
from sfa_engine.web.problem import Problem

SHORTEST, LONGEST = 8, 256
MAX_WAITING = 16  # hashes; of 25 ms each
NICENESS = 10
_Result = TypeVar("_Result")
Password = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Of no password: a name that does not exist takes as long as one that does.
_DUMMY = (
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def hashed(password: str) -> str:
    """Return a password's hash.

    Raises
    ------
    Refused
        It is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            f"the password has {len(password)} characters", f"give {SHORTEST} to {LONGEST}"
        )
    return _HASHER.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Return whether a password is the one that was hashed; as slow without a hash."""
    try:
        return _HASHER.verify(stored or _DUMMY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Return whether a hash was made with other parameters than now."""
    return _HASHER.check_needs_rehash(stored)


class Passwords:
    """The thread that hashes."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords", _be_nice)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """Return a password's hash; see `hashed`."""
        return await self._run(partial(hashed, password))

    async def fits(self, stored: str | None, password: str) -> bool:
        """Return whether a password fits; see `fits`."""
        return await self._run(partial(fits, stored, password))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self, work: partial[_Result]) -> _Result:
        if self._waiting >= MAX_WAITING:
            raise Problem(503, "too many sign-ins at once", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
