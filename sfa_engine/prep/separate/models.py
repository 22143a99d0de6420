"""The folder of model weights: finding them, trusting them, fetching them when asked to.

::

    models/
        htdemucs.yaml                 names of the parts; may be left out for Demucs's own models
        955717e8-8726e21a.th          name and first digits of the file's SHA-256

A ``.th`` is a pickle: loading it runs what is in it. So it is loaded only from this folder, only
if nobody else can write there, and only if its SHA-256 is what its name says. Imports no torch.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import platformdirs

from sfa_engine.errors import Refused, WorkerError
from sfa_engine.library.draft import drafted_file

PIECE_BYTES = 1 << 20
TIMEOUT_S = 30.0
_PART = re.compile(r"[A-Za-z0-9_.]+-([0-9a-f]{8,64})\.(th|safetensors)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def default_folder() -> Path:
    """Return the user's folder of models; it need not be there."""
    return platformdirs.user_data_path("sfa") / "models"


def check_name(name: str) -> str:
    """Return the name of a model, or raise Refused if it could lead out of the folder."""
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r:.80} is no name of a model", "letters, digits, _ . and - make one")
    return name


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(path: Path, digest: str, cure: str) -> Path:
    """Return a path after its file was compared with the beginning of a SHA-256.

    Raises
    ------
    WorkerError
        If it is not there or is another file; the hint is `cure`.
    """
    try:
        found = sha256_of(path)
    except OSError as problem:
        raise WorkerError(f'model file "{path}": {problem.strerror}', cure) from problem
    if not found.startswith(digest):
        raise WorkerError(
            f'model file "{path}" is damaged or another: its SHA-256 begins '
            f"{found[: len(digest)]}, not {digest}",
            cure,
        )
    return path


def find_part(folder: Path, signature: str) -> Path | None:
    """Return the file of one part of a model, ``SIGNATURE-DIGEST.th``; None if not there.

    Raises
    ------
    WorkerError
        If two files have the signature.
    """
    if not folder.is_dir():
        return None
    fits = [
        path
        for path in sorted(folder.glob(f"{signature}-*"))
        if _PART.fullmatch(path.name) and path.name.rpartition("-")[0] == signature
    ]
    if len(fits) > 1:
        raise WorkerError(
            f'"{folder}" has {len(fits)} files of {signature}', f"keep one: {fits[0].name}?"
        )
    return fits[0] if fits else None


def trusted(path: Path, cure: str) -> Path:
    """Return the path of a part of a model after a look at who could have written it.

    Raises
    ------
    WorkerError
        If another user can write it or its folder, or its SHA-256 is not what its name says.
    """
    for place in (path, path.parent):
        status = place.stat()
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & stat.S_IWOTH:
            raise WorkerError(
                f'"{place}" can be written by others, and loading a model runs what is in it',
                f"look where it comes from, then `chown $USER` and `chmod o-w` {place}",
            )
    named = _PART.fullmatch(path.name)
    assert named
    return checked(path, named[1], cure)


def fetch(source: str, target: Path, progress: Callable[[float], None]) -> Path:
    """Download a file of a model; it appears when it is whole and is what its name says.

    Parameters
    ----------
    source : str
        Where it is, ``https://…/SIGNATURE-DIGEST.th``.
    target : Path
        Where it goes, with the same name.
    progress : callable
        Told the part that is done, 0..1.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    WorkerError
        If it cannot be had, or is another file.
    MediaError
        If it cannot be written.
    """
    import httpx

    from sfa_engine.network import opened

    named = _PART.fullmatch(target.name)
    assert named
    by_hand = f"download it by hand and put it into {target.parent}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WorkerError(
            f'cannot make "{target.parent}": {problem.strerror}', "name another folder of models"
        ) from problem
    try:
        with (
            drafted_file(target) as draft,
            draft.open("wb") as file,
            opened(
                httpx.Client, source, WorkerError, timeout=TIMEOUT_S, follow_redirects=True
            ) as client,
            client.stream("GET", source) as answer,
        ):
            answer.raise_for_status()
            expected = int(answer.headers.get("Content-Length", 0))
            for piece in answer.iter_bytes(PIECE_BYTES):
                file.write(piece)
                progress(min(1.0, file.tell() / expected) if expected else 0.0)
            file.flush()
            os.fsync(file.fileno())
            checked(draft, named[1], f"what {source} gives is not it; {by_hand}")
            draft.chmod(0o644)
    except httpx.HTTPError as problem:
        raise WorkerError(f"cannot fetch {source}: {problem}", by_hand) from problem
    return target
