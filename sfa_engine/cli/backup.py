"""`sfa library restore FILE`: the library as a backup has it, while backstage does not run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from sfa_engine.audio.lock import take_lock
from sfa_engine.cli import config as configuration
from sfa_engine.cli.confirm import confirm
from sfa_engine.cli.folders import PRIVATE_UMASK, runtime_path
from sfa_engine.errors import EngineError, LibraryError, Refused

ENDING_S = 5.0  # in which a backstage that was started for one command ends
STEP_S = 0.1


def restore_backup(name: str, *, yes: bool) -> None:
    """Replace the library by a backup; the present one is backed up first.

    Parameters
    ----------
    name : str
        A file, or the name of one among our backups; empty: the newest.
    yes : bool
        Whether not to ask.

    Raises
    ------
    Refused
        Backstage runs, there is no such backup, or the answer is no.
    LibraryError
        The backup is damaged, or none of ours.
    """
    from sfa_engine.library import backup
    from sfa_engine.library.places import Places

    os.umask(PRIVATE_UMASK)
    config = configuration.load_config()
    places = Places(configuration.private_data_path(), configuration.library_path(config))
    with _alone(places.folder):
        file = _chosen(name, places.backups)
        confirm(f'Replace the library by "{file}"?', yes=yes)
        aside = backup.restore(places.database, file, places.backups)
    click.echo(f"restored from {file}")
    if aside is not None:
        click.echo(f"the library as it was is {aside}")
    click.echo("`sfa library check` compares it with the bundles on the disk")


def _chosen(name: str, folder: Path) -> Path:
    from sfa_engine.library import backup

    if not name:
        regular = [each for each in backup.backups(folder) if each.reason == "library"]
        newest = backup.newest(regular)
        if newest is None:
            raise LibraryError(f'no backup in "{folder}"', "`sfa library backup` makes one")
        return newest.path
    here = Path(name).expanduser()
    return here.absolute() if here.exists() else folder / name


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Keep backstage from starting; wait a little for one that is about to end."""
    from sfa_engine.cli.backstage import LOCK
    from sfa_engine.cli.backstage_process import LIBRARY

    held: list[int] = []
    give_up = time.monotonic() + ENDING_S
    try:
        for path in (runtime_path() / LOCK, data / LIBRARY):
            while True:
                try:
                    held.append(take_lock(path, "backstage", "end it with `sfa stop`"))
                    break
                except EngineError as error:
                    if time.monotonic() > give_up:
                        raise Refused(error.message, error.hint) from None
                time.sleep(STEP_S)
        yield
    finally:
        for handle in held:
            os.close(handle)
