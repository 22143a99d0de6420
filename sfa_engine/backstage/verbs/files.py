"""``library.files``: where the files of a track are, for programs that read them themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sfa_engine.backstage.access import By, find
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.verbs.library import TrackWord
from sfa_engine.errors import Refused
from sfa_engine.library.content import bundle_cover
from sfa_engine.library.track import Track
from sfa_engine.track import curves
from sfa_engine.track.media import MANIFEST, read_bundle
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import verb


class FileVerbs:
    """The verb on the files of tracks.

    Parameters
    ----------
    context : PrepContext
    """

    def __init__(self, context: PrepContext) -> None:
        self._context = context

    @verb(scope="read", owned=True)
    async def library_files(self, track: TrackWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the files of a track: each with its name, a folder, and its path in there.

        They are the stems by their names, ``manifest``, ``curves`` and ``cover``, if there are any.
        """
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
        files = await asyncio.to_thread(self._files, found)
        about = {"track": found.id, "title": found.title, "artist": found.artist}
        return {**about, "files": files}

    def _files(self, track: Track) -> list[dict[str, str]]:
        places = self._context.places
        if track.bundle is None or track.duration_s is None:
            raise Refused(f'"{track.name}" is not imported yet', "see `sfa jobs`")
        bundle = places.bundles / track.bundle
        inside = {stem.name: stem.file for stem in read_bundle(bundle).track.stems}
        inside |= {"manifest": MANIFEST, "curves": curves.FILE}
        paths = {name: bundle / file for name, file in inside.items()}
        if cover := bundle_cover(bundle):
            paths["cover"] = cover[0]
        listed = [
            _entry(name, places.bundles, path) for name, path in paths.items() if path.is_file()
        ]
        if cover is None and track.cover and (places.covers / track.cover).is_file():
            listed.append(_entry("cover", places.folder, places.covers / track.cover))
        return listed


def _entry(name: str, folder: Path, path: Path) -> dict[str, str]:
    return {"name": name, "folder": str(folder), "path": str(path.relative_to(folder))}
