"""``library.stems``: how loud the stems of a track are, and where they play."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.backstage.access import By, find
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.job import Kind, State
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.verbs.words import TrackWord
from sfa_engine.errors import MediaError, Refused
from sfa_engine.library import analysis
from sfa_engine.mix.facts import Section
from sfa_engine.mix.stem_levels import StemLevel, stem_levels
from sfa_engine.track.curves import PEAKS, read_curves
from sfa_engine.track.media import WHOLE, read_bundle
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import verb


class StemVerbs:
    """The verb on a track's stems.

    Parameters
    ----------
    context : PrepContext
    facts : FactsReader
    """

    def __init__(self, context: PrepContext, facts: FactsReader) -> None:
        self._context = context
        self._facts = facts

    @verb(scope="read", slow=True, owned=True)
    async def library_stems(self, track: TrackWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Return level and activity of each stem of a track, by section, and where a voice sings.

        Levels are against the mix. ``vocals_s`` is null where nobody has looked for a voice;
        ``null_db`` is what the stems lack of the mix, in dB of full scale, null if it is not known
        any more.
        """
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
            origins = await analysis.stems_of(connection, found.id)
        facts = (await self._facts.of([found.id])).get(found.id)
        if facts is None or found.bundle is None:
            raise Refused(f'"{found.name}" is not imported yet', "see `sfa jobs`")
        names = [each.name for each in origins if each.name != WHOLE and not each.preview]
        levels: tuple[StemLevel, ...] = ()
        problem = "" if names else "it was not separated"
        if names:
            bundle = self._context.places.bundles / found.bundle
            try:
                levels = await asyncio.to_thread(_levels, bundle, names, facts.sections)
            except MediaError:
                problem = "its curves are missing, or of another sound: analyse it again"
        separated = await self._context.queue.list([State.DONE], track=found.id)
        nulls = [
            each.result.get("null_db")
            for each in separated
            if each.kind is Kind.SEPARATE and each.result
        ]
        return {
            "track": found.id,
            "name": found.name,
            "origins": [
                {"name": each.name, "engine": each.engine, "model": each.model,
                 "sketch": each.sketch, "preview": each.preview}
                for each in origins if each.name != WHOLE
            ],
            "stems": msgspec.to_builtins(levels),
            "vocals_s": None if facts.vocals_s is None else [list(each) for each in facts.vocals_s],
            "length_s": facts.length_s,
            "null_db": next(iter(nulls), None),
            "problem": problem,
        }  # fmt: skip


def _levels(
    bundle: Path, names: Sequence[str], sections: Sequence[Section]
) -> tuple[StemLevel, ...]:
    """Return the levels of a bundle's stems. Blocks.

    Raises
    ------
    MediaError
        It has no curves, or such of another sound.
    """
    curves = read_curves(bundle)
    if curves.digest != read_bundle(bundle).track.digest:
        raise MediaError("its curves are of another sound", "analyse it again")
    return stem_levels(
        {
            name: (curves.values(PEAKS + name)[:, 0], curves.tables[PEAKS + name].rate_hz)
            for name in (WHOLE, *names)
            if PEAKS + name in curves.tables
        },
        sections,
    )
