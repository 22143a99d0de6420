"""The private folders of the product, accessible to the user alone; and its configuration file.

Imports little: every command needs the runtime folder.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from sfa_engine.errors import Refused

PRIVATE_UMASK = 0o077  # of the processes that write into them
MAX_PATH_BYTES = 90  # of the runtime folder: a Unix socket's path ends at 108


def private_folder(path: Path) -> Path:
    """Make a folder with mode 0700, regardless of the umask; return it.

    An existing one is closed to others. A symbolic link in its place is not followed: where the
    folder above is open to all, as /dev/shm is, another user could have made it.

    Raises
    ------
    Refused
        It is a symbolic link, or belongs to another user.
    OSError
        The folder cannot be made or changed.
    """
    _make(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink() and error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise Refused(f"{path} is a symbolic link", "name the folder itself") from None
        raise
    try:
        status = os.fstat(handle)
        if status.st_uid != os.getuid():
            raise Refused(f"{path} belongs to another user", "name another folder")
        if status.st_mode & 0o077:
            os.fchmod(handle, 0o700)
    finally:
        os.close(handle)
    return path


def closed_folder(path: Path) -> Path:
    """Make a folder of the user's home that is closed to others, regardless of the umask.

    It may be a link to a larger disk, and stays unchanged where rights cannot be changed.

    Raises
    ------
    OSError
        The folder cannot be made.
    """
    path = path.resolve()
    _make(path)
    if path.stat().st_mode & 0o077:
        with suppress(PermissionError):
            path.chmod(0o700)
    return path


def _make(path: Path) -> None:
    """Make a folder and its parents; `Path.mkdir` applies its mode to the last one only."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def config_path() -> Path:
    """Return the path of the configuration, existing or not.

    It is what ``platformdirs.user_config_path`` gives on Linux: every command reads it, and that
    import alone would take 10 ms.
    """
    named = named_config()
    if named is not None:
        return named
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    folder = base if base.is_absolute() else Path("~/.config").expanduser()
    return folder / "sfa" / "config.toml"


def named_config() -> Path | None:
    """Return the file in ``SFA_CONFIG``, if set."""
    named = os.environ.get("SFA_CONFIG")
    return Path(named) if named else None


def memory_path() -> Path:
    """Return a folder in memory, if available.

    On a disk, each page of the engine's memory is write-protected after each write-back, and the
    audio thread would wait for that.
    """
    shared = Path("/dev/shm")  # noqa: S108 - folders made there are closed to others
    if shared.is_dir():
        return shared
    import tempfile

    return Path(tempfile.gettempdir())


def runtime_path() -> Path:
    """Return the folder of sockets and engine memory; make it with mode 0700."""
    named = os.environ.get("SFA_RUNTIME")
    if named:
        path = Path(named)
    else:
        base = os.environ.get("XDG_RUNTIME_DIR")
        path = Path(base) / "sfa" if base else memory_path() / f"sfa-{os.getuid()}"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise Refused(
            f"{path} is too long for a socket's path", "set SFA_RUNTIME to a shorter folder"
        )
    try:
        return private_folder(path)
    except Refused as error:
        raise Refused(error.message, "set SFA_RUNTIME to another folder") from None
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", "set SFA_RUNTIME to another folder") from None
