"""Keys of services, encrypted at rest.

::

    DATA/secret.key      a random key, readable by its owner only (0600)
    DATA/secrets.json    {"lalalai": "gAAAA…"}: each value encrypted with it (Fernet)

A copy of the secrets alone, in a backup or a bug report, reveals nothing; both files together do.
Writes are atomic. Knows no service.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from cryptography.fernet import Fernet, InvalidToken

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library.sqlite_errors import os_errors_as
from sfa_engine.system.atomic import folder_lock, write_durably

KEY_FILE = "secret.key"
SECRETS_FILE = "secrets.json"
MAX_BYTES = 4096
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Secrets:
    """The secrets in one folder.

    Parameters
    ----------
    folder : Path, optional
        By default the user's data folder; created with the first secret.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or platformdirs.user_data_path("sfa")

    def get(self, name: str) -> str | None:
        """Return a secret, or None.

        Raises
        ------
        LibraryError
            The files cannot be read, other users may read the key, or it does not fit.
        """
        token = self._tokens().get(name)
        if token is None:
            return None
        key = self._key()
        if key is None:
            raise LibraryError(f'"{self._folder / KEY_FILE}" is gone', _again(name))
        try:
            return Fernet(key).decrypt(token.encode()).decode()
        except (InvalidToken, ValueError) as problem:
            raise LibraryError(
                f'secret "{name}" was not encrypted with "{self._folder / KEY_FILE}"', _again(name)
            ) from problem

    def set(self, name: str, value: str) -> None:
        """Store or replace a secret.

        Raises
        ------
        Refused
            The name or the value is invalid.
        LibraryError
            As in `get`, or nothing can be written.
        """
        if not _NAME.fullmatch(name):
            raise Refused(
                f"{name!r:.80} is not a valid name of a secret", "use small letters, digits, _ . -"
            )
        if not value.strip() or len(value.encode()) > MAX_BYTES:
            raise Refused(f'secret "{name}" is empty or too long', f"1..{MAX_BYTES} bytes")
        with self._exclusive():
            key = self._key() or self._new_key()
            token = Fernet(key).encrypt(value.strip().encode()).decode()
            self._write(self._tokens() | {name: token})

    def remove(self, name: str) -> bool:
        """Delete a secret; return whether there was one."""
        if name not in self._tokens():
            return False
        with self._exclusive():
            tokens = self._tokens()
            there = tokens.pop(name, None) is not None
            self._write(tokens)
        return there

    def encrypt(self, value: str) -> str:
        """Return a value encrypted with the folder's key, to be stored elsewhere.

        Raises
        ------
        LibraryError
            The key cannot be read or made.
        """
        key = self._key()
        if key is None:
            with self._exclusive():
                key = self._key() or self._new_key()
        return Fernet(key).encrypt(value.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Return a value that was encrypted.

        Raises
        ------
        LibraryError
            The key is gone, or another one.
        """
        key = self._key()
        try:
            if key is not None:
                return Fernet(key).decrypt(token.encode()).decode()
        except (InvalidToken, ValueError):
            pass
        raise LibraryError(
            f'the secret was not encrypted with "{self._folder / KEY_FILE}"', "put that file back"
        )

    def names(self) -> list[str]:
        """Return the names of the stored secrets."""
        return sorted(self._tokens())

    def _write(self, tokens: dict[str, str]) -> None:
        self._put(SECRETS_FILE, json.dumps(tokens, indent=1, sort_keys=True).encode())

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Exclude other writers: what they read would be outdated."""
        with os_errors_as(f'cannot write "{self._folder}"'):
            self._folder.mkdir(parents=True, exist_ok=True)
            with folder_lock(self._folder):
                yield

    def _tokens(self) -> dict[str, str]:
        """Return the encrypted values by name."""
        path = self._folder / SECRETS_FILE
        try:
            tokens = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as problem:
            raise LibraryError(f'cannot read "{path}": {problem}', "remove it, or repair") from None
        if not isinstance(tokens, dict) or not all(isinstance(t, str) for t in tokens.values()):
            raise LibraryError(f'"{path}" holds no secrets', "remove it, or put the right one back")
        return tokens

    def _key(self) -> bytes | None:
        """Return the key, or None before the first secret."""
        path = self._folder / KEY_FILE
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise LibraryError(
                    f'"{path}" can be read by others: its mode is {mode:04o}', f"chmod 600 {path}"
                )
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise LibraryError(
                f'cannot read "{path}": {problem.strerror}', "look at its owner and rights"
            ) from problem

    def _new_key(self) -> bytes:
        key = Fernet.generate_key()
        self._put(KEY_FILE, key)
        return key

    def _put(self, name: str, content: bytes) -> None:
        """Write a file of mode 0600; the caller holds the folder's lock."""
        with os_errors_as(f'cannot write "{self._folder / name}"'):
            write_durably(self._folder / name, content, mode=0o600)


def _again(name: str) -> str:
    return f"give it again: `sfa secret set {name}`"
