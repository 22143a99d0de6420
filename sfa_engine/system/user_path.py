"""Paths as a user writes them. Pure but for where links and home folders lead.

Other than `pathlib`, nothing here raises: a path that leads nowhere is one that does not exist.
"""

from __future__ import annotations

import os
from pathlib import Path


def user_path(text: str | Path) -> Path:
    """Return the path that is meant: ``~`` is a home folder, if there is that user."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib's raises for an unknown user


def real_path(path: Path) -> Path:
    """Return an absolute path without links, as far as they lead anywhere."""
    return Path(os.path.realpath(path))  # pathlib's raises for links in a circle
