"""``library.tags``: which tags the sounds of the library have, each with its number of tracks.

Offered are those that a search in words finds by the word itself: genres, and what
`mix.vocabulary.TAG_WORDS` has. A track has a tag by the rule of `mix.rank`, so that a word and the
hits of a search for it agree, except for tracks that have the word in their texts alone.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from sfa_engine.backstage.access import By, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.kept_shelf import KeptShelf
from sfa_engine.library import sounds
from sfa_engine.library.ownership import EVERYTHING, View
from sfa_engine.mix.rank import Mask, count_tagged
from sfa_engine.mix.shelf import Shelf
from sfa_engine.mix.vocabulary import GENRES, TAG_WORDS
from sfa_engine.track.sound_tags import TAGS
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import verb

KINDS = {
    name: "genre" if name in GENRES else "other"
    for name in TAGS
    if name in GENRES or name in TAG_WORDS
}


class TagVerbs:
    """The verb on tags.

    Parameters
    ----------
    context : PrepContext
    shelf : KeptShelf
        That of the searches in words.
    """

    def __init__(self, context: PrepContext, shelf: KeptShelf) -> None:
        self._context = context
        self._shelf = shelf

    @verb(scope="read", owned=True)
    async def library_tags(self, view: View = "combined", actor: By = SYSTEM) -> dict[str, Any]:
        """Return the tags that tracks have by their sound, most frequent first, with their counts.

        Each is a word of ``library.search_words``; ``kind`` is "genre" or "other". ``tagged`` is
        how many of all ``tracks`` have tags.
        """
        within = visible(actor, view)
        shelf = await self._shelf.get(self._context.database)
        rows: Mask = np.ones(len(shelf.ids), bool)
        if within != EVERYTHING:
            async with self._context.database.reading() as connection:
                rows = shelf.mask(await sounds.seen(connection, within))
        counts = await asyncio.to_thread(_counts, shelf, rows)
        return {
            "tags": [
                {"name": name, "kind": KINDS[name], "count": count}
                for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
                if count
            ],
            "tagged": int((rows & (shelf.tag_rows >= 0)).sum()),
            "tracks": int(rows.sum()),
        }


def _counts(shelf: Shelf, rows: Mask) -> dict[str, int]:
    return {name: count_tagged(shelf.tag(name), rows) for name in KINDS}
