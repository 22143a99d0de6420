"""Keys of services, encrypted at rest.

::

    DATA/secret.key      a random key, readable by its owner only (0600)
    DATA/secrets.json    {"lalalai": "gAAAA…"}: each value encrypted with it (Fernet)

So a copy of the settings alone, in a backup or a bug report, gives nothing away; whoever can read
both files can read the secrets. Writing is by rename. Knows no service.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from cryptography.fernet import Fernet, InvalidToken

from sfa_engine.durable import sync
from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library.draft import alone
from sfa_engine.library.fault import blamed_files

KEY_FILE = "secret.key"
SECRETS_FILE = "secrets.json"
LONGEST_BYTES = 4096
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Secrets:
    """The secrets in one folder.

    Parameters
    ----------
    folder : Path, optional
        The user's data folder if left out; made when the first secret is kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or platformdirs.user_data_path("sfa")

    def get(self, name: str) -> str | None:
        """Return a secret, or None if there is none of that name.

        Raises
        ------
        LibraryError
            If the files cannot be read, others may read the key, or it is not the key of these
            secrets.
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
        """Keep a secret; one of that name is replaced.

        Raises
        ------
        Refused
            If the name or the value cannot be one.
        LibraryError
            As in `get`, and if nothing can be written.
        """
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r:.80} is no name of a secret", "small letters, digits, _ . -")
        if not value.strip() or len(value.encode()) > LONGEST_BYTES:
            raise Refused(f'secret "{name}" is empty or too long', f"1..{LONGEST_BYTES} bytes")
        with self._alone():
            key = self._key() or self._new_key()
            token = Fernet(key).encrypt(value.strip().encode()).decode()
            self._write(self._tokens() | {name: token})

    def remove(self, name: str) -> bool:
        """Forget a secret; return whether there was one."""
        if name not in self._tokens():
            return False
        with self._alone():
            tokens = self._tokens()
            there = tokens.pop(name, None) is not None
            self._write(tokens)
        return there

    def names(self) -> list[str]:
        """Return the names of the secrets that are kept."""
        return sorted(self._tokens())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile: what they read would be old."""
        with blamed_files(f'cannot write "{self._folder}"'):
            self._folder.mkdir(parents=True, exist_ok=True)
            with alone(self._folder):
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
        """Return the key, or None if there is none yet."""
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
        """Make the key; if another process was faster, return that one's."""
        self._put(KEY_FILE, Fernet.generate_key(), replace=False)
        key = self._key()
        assert key
        return key

    def _write(self, tokens: dict[str, str]) -> None:
        self._put(SECRETS_FILE, json.dumps(tokens, indent=1, sort_keys=True).encode(), replace=True)

    def _put(self, name: str, content: bytes, *, replace: bool) -> None:
        """Write a file of mode 0600 whole."""
        with blamed_files(f'cannot write "{self._folder / name}"'), suppress(FileExistsError):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=f".{name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                if replace:
                    Path(draft).replace(self._folder / name)
                elif not (self._folder / name).exists():
                    os.link(draft, self._folder / name)
                sync(self._folder)
            finally:
                Path(draft).unlink(missing_ok=True)


def _again(name: str) -> str:
    return f"give it again: `sfa secret set {name}`"
