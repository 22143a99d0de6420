"""The demo's two tracks as a prepared library, kept in the user's cache.

Preparing them takes 15 s of a quiet machine and minutes of a busy one. The copy is used as long as
no source that makes tracks or keeps them has changed.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import platformdirs

import sfa_engine
from sfa_engine.run.folders import closed_folder
from sfa_engine.system.atomic import temporary_directory

DATABASE = "library.db"
TRACKS = "tracks"
# What decides how a prepared library looks.
PLANES = ("demo", "track", "library", "prep", "backstage")


def cache_folder() -> Path:
    """Return the folder of the demo's sounds."""
    folder: Path = closed_folder(platformdirs.user_cache_path("sfa")) / "demo"
    folder.mkdir(exist_ok=True)
    return folder


def _kept() -> Path:
    """Return the folder of a library that the present sources would make."""
    root = Path(sfa_engine.__file__).parent
    digest = sha256()
    for path in sorted(path for plane in PLANES for path in (root / plane).rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return cache_folder() / f"library-{digest.hexdigest()[:16]}"


def copy_to(data: Path) -> bool:
    """Put the kept library into a data folder that has none; return whether there is one."""
    kept = _kept()
    if not kept.is_dir():
        return False
    data.mkdir(parents=True, mode=0o700, exist_ok=True)
    shutil.copytree(kept, data, dirs_exist_ok=True)
    return True


def keep(data: Path) -> None:
    """Keep the library of a data folder, in place of older ones."""
    kept = _kept()
    if kept.exists():
        return
    with temporary_directory(kept) as part:
        with (
            closing(sqlite3.connect(data / DATABASE)) as theirs,
            closing(sqlite3.connect(part / DATABASE)) as ours,
        ):
            theirs.backup(ours)
        shutil.copytree(data / TRACKS, part / TRACKS)
        try:
            part.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another process was quicker
                raise
    for older in kept.parent.glob("library-*"):
        if older != kept:
            shutil.rmtree(older, ignore_errors=True)
