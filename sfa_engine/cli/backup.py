"""`sfa library restore FILE`: the library as a backup has it, while backstage does not run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from sfa_engine.cli.confirm import confirm
from sfa_engine.errors import EngineError, LibraryError, Refused, SfaError
from sfa_engine.run import config as configuration
from sfa_engine.run.folders import PRIVATE_UMASK, runtime_path
from sfa_engine.system.process_lock import take_lock
from sfa_engine.system.user_path import user_path

END_TIMEOUT_S = 5.0  # of a backstage that was started for one command
RETRY_S = 0.1


def restore_backup(name: str, *, yes: bool, force: bool = False) -> None:
    """Replace the library by a backup; the present one is backed up first.

    Parameters
    ----------
    name : str
        A file, or the name of one among our backups; empty: the newest.
    yes : bool
        Do not ask for confirmation.
    force : bool
        Do it although the session is locked.

    Raises
    ------
    Refused
        The session is locked, backstage runs, the backup is not found, or the answer is no.
    LibraryError
        The backup is damaged, or was not made by `sfa library backup`.
    """
    from sfa_engine.desk.session_lock import check_session
    from sfa_engine.library import backup
    from sfa_engine.library.places import Places

    check_session("restoring a backup", locked=_is_locked(), force=force)
    os.umask(PRIVATE_UMASK)
    config = configuration.load_config()
    places = Places(configuration.private_data_path(), configuration.library_path(config))
    with _without_backstage(places.folder):
        file = _chosen(name, places.backups)
        confirm(f'Replace the library by "{file}"?', yes=yes)
        aside = backup.restore(places.database, file, places.backups)
    click.echo(f"restored from {file}")
    if aside is not None:
        click.echo(f"the library as it was is {aside}")
    click.echo("`sfa library check` compares it with the bundles on the disk")


def _is_locked() -> bool:
    """Return whether a stage runs whose session is locked."""
    from sfa_engine.system.runtime_files import ENGINE_SOCKET
    from sfa_engine.wire.blocking import SocketClient

    try:
        with SocketClient(runtime_path() / ENGINE_SOCKET) as client:
            return bool(client.call("get", path="session.locked")["value"])
    except SfaError:
        return False


def _chosen(name: str, folder: Path) -> Path:
    from sfa_engine.library import backup

    if not name:
        regular = [each for each in backup.backups(folder) if each.reason == "library"]
        newest = backup.newest(regular)
        if newest is None:
            raise LibraryError(f'no backup in "{folder}"', "`sfa library backup` makes one")
        return newest.path
    here = user_path(name)
    return here.absolute() if here.exists() else folder / name


@contextmanager
def _without_backstage(data: Path) -> Iterator[None]:
    """Hold backstage's locks; wait for one that is about to end."""
    from sfa_engine.system.runtime_files import BACKSTAGE_LOCK, LIBRARY_LOCK

    held: list[int] = []
    give_up = time.monotonic() + END_TIMEOUT_S
    try:
        for path in (runtime_path() / BACKSTAGE_LOCK, data / LIBRARY_LOCK):
            while True:
                try:
                    held.append(take_lock(path, "backstage", "end it with `sfa stop`"))
                    break
                except EngineError as error:
                    if time.monotonic() > give_up:
                        raise Refused(error.message, error.hint) from None
                time.sleep(RETRY_S)
        yield
    finally:
        for handle in held:
            os.close(handle)
