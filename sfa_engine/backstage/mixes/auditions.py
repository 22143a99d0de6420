"""Rendered transitions and mixes: ``<data>/auditions/KEY/``, kept up to a size.

A key is a hash of all that decides sound and picture, and of nothing else: the part of the plan,
what is used of its tracks' facts, their sound with the gain and the grid of their manifests, and
the kernel. So nothing that was rendered is ever wrong, only old, and a track that was analysed
again, rated or moved is not rendered again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from sfa_engine.errors import LibraryError
from sfa_engine.mix.audition_request import (
    FIGURES,
    PICTURE,
    SOUND,
    AuditionRequest,
    used_facts,
)
from sfa_engine.mix.commands import timetable
from sfa_engine.mix.document import Plan
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.plan_text import write_plan
from sfa_engine.system.atomic import write_durably
from sfa_engine.track.media import read_bundle

FOLDER = "auditions"
MAX_BYTES = 2 << 30  # some 300 transitions of 7 MB; two hours have 1 GB
REQUEST = ".json"
KEEP_S = 7 * 86_400.0  # a request whose job failed, as jobs are kept


class Auditions:
    """What was rendered, in a data folder. Its methods block.

    Parameters
    ----------
    data : pathlib.Path
        The data folder.
    bundles : pathlib.Path
        The folder of bundles.
    """

    def __init__(self, data: Path, bundles: Path) -> None:
        self._folder = data / FOLDER
        self._bundles = bundles

    def folder(self, key: str) -> Path:
        """Return the folder of a key, which need not exist."""
        return self._folder / key

    def request_file(self, key: str) -> Path:
        """Return the file with what is to be rendered."""
        return self._folder / f"{key}{REQUEST}"

    def ask(
        self,
        plan: Plan,
        facts: Mapping[int, TrackFacts],
        names: Mapping[int, str],
        place: int | None,
    ) -> str:
        """Write down what is to be rendered, unless it was; return its key.

        Parameters
        ----------
        plan : Plan
        facts : mapping of int to TrackFacts
        names : mapping of int to str
            Names of the bundles, by the tracks' numbers.
        place : int, optional
            Of the transition, from 0; None: the whole mix.

        Raises
        ------
        Refused
            It cannot be performed.
        MediaError
            A bundle cannot be read.
        LibraryError
            The disk refuses.
        """
        key, request = self._request(plan, facts, names, place)
        if not (self.folder(key) / FIGURES).exists():
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_durably(self.request_file(key), request.decode())
            except OSError as error:
                raise LibraryError(
                    f"{error.filename or self._folder}: {error.strerror}",
                    "check permissions and free space",
                ) from None
        return key

    def files(
        self,
        plan: Plan,
        facts: Mapping[int, TrackFacts],
        names: Mapping[int, str],
        place: int | None,
    ) -> list[Path]:
        """Return sound and picture of what `ask` asks for; none if it was not rendered yet."""
        key, _ = self._request(plan, facts, names, place)
        if self.found(key) is None:
            return []
        return [self.folder(key) / SOUND, self.folder(key) / PICTURE]

    def _request(
        self,
        plan: Plan,
        facts: Mapping[int, TrackFacts],
        names: Mapping[int, str],
        place: int | None,
    ) -> tuple[str, bytes]:
        """Return the key of what is to be rendered, and its text."""
        if place is not None:
            pair, each = plan.tracks[place : place + 2], plan.transitions[place]
            plan = replace(plan, tracks=pair, transitions=(each,))
        timetable(plan, facts)
        known = [used_facts(facts[t.id]) for t in plan.tracks]
        paths = {str(t.id): str(self._bundles / names[t.id]) for t in plan.tracks}
        bundles = [read_bundle(path).track for path in paths.values()]
        sounds = [(bundle.digest, bundle.gain_db, bundle.grid) for bundle in bundles]
        request = AuditionRequest(write_plan(plan), known, paths, None if place is None else 0)
        placeless = replace(request, bundles={})  # where a bundle is does not matter
        hashed = hashlib.sha256(msgspec.json.encode(placeless))
        from sfa_engine.host.build import provenance  # it loads LLVM: 40 MB

        hashed.update(msgspec.json.encode([sounds, provenance()["kernel"]]))
        return hashed.hexdigest()[:32], msgspec.json.encode(request)

    def found(self, key: str) -> dict[str, Any] | None:
        """Return the figures and files of a key; None if it was not rendered yet."""
        folder = self.folder(key)
        try:
            figures: dict[str, Any] = json.loads((folder / FIGURES).read_bytes())
            os.utime(folder)  # the ones that were asked for last are kept
        except (OSError, ValueError):
            return None
        return {**figures, "sound": str(folder / SOUND), "picture": str(folder / PICTURE)}

    def prune(self, most_bytes: int = MAX_BYTES) -> int:
        """Delete those that were not asked for the longest, down to a size; return how many.

        Requests that no job has rendered within a week are deleted too.
        """
        try:
            there = list(self._folder.iterdir())
        except OSError:
            return 0
        folders = [each for each in there if each.is_dir()]
        for file in there:
            with suppress(OSError):
                if file.suffix == REQUEST and time.time() - file.stat().st_mtime > KEEP_S:
                    file.unlink()
        sized = []
        for folder in folders:
            with suppress(OSError):  # deleted meanwhile
                size = sum(each.stat().st_size for each in folder.iterdir())
                sized.append((folder.stat().st_mtime, size, folder))
        gone, left = 0, most_bytes
        for _, size, folder in sorted(sized, reverse=True):
            left -= size
            if left < 0:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        return gone
