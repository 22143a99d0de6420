"""The paths of a library.

::

    <folder>/                        <bundles>/               may be on another disk
        library.db                       Artist - Title.sfa/
        covers/<SHA-256>.jpg             .trash/<uuid>.sfa/   on the same: moving is a rename
        backups/
        exports/                             masters, zips of loops
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sfa_engine.library.sqlite_errors import os_errors_as


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one library.

    Parameters
    ----------
    folder : Path
        Of the database, its backups, the covers and the exports.
    bundles : Path
        Of the bundles.
    """

    folder: Path
    bundles: Path

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.folder / "library.db"

    @property
    def backups(self) -> Path:
        """The folder of backups."""
        return self.folder / "backups"

    @property
    def covers(self) -> Path:
        """The folder of cover pictures, each named by its content."""
        return self.folder / "covers"

    @property
    def exports(self) -> Path:
        """The folder of files that were made for others, as masters are."""
        return self.folder / "exports"

    @property
    def trash(self) -> Path:
        """The folder of bundles that were removed and can be restored."""
        return self.bundles / ".trash"

    def has(self, bundle: Path) -> bool:
        """Return whether a folder is in the folder of bundles, links resolved."""
        return bundle.resolve().parent == self.bundles.resolve()


def entries(folder: Path) -> list[Path]:
    """Return the sorted content of a folder; empty if it does not exist.

    Raises
    ------
    LibraryError
        It cannot be read.
    """
    if not folder.is_dir():
        return []
    with os_errors_as(f'cannot read "{folder}"'):
        return sorted(folder.iterdir())
