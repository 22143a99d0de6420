"""The sound of one transition of a plan: the mix, and each deck and stem in it and at unity.

It is rendered twice by the kernel: as planned, and without a move, which is what the measures
compare with. The decks run alike in both, so that the sounds belong together to the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.scale import OFF
from sfa_engine.engine.layout import STRIPS, TAP_DECK, TAP_STEM
from sfa_engine.host.offline import Offline
from sfa_engine.host.taps import Taps
from sfa_engine.mix.audition import Audition, audition
from sfa_engine.mix.commands import LEAD_S
from sfa_engine.mix.document import Plan
from sfa_engine.mix.facts import DRUMS, TONAL, VOCALS, TrackFacts
from sfa_engine.mix.measures import PLATEAU_BARS, DeckSound, Measures, measure
from sfa_engine.mix.mix_script import mix_script
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script

RATE = 48_000
BLOCK = 4096  # frames a call of the kernel: larger ones are not faster
DECK = "deck"  # beside the stems: all of a deck
AT_ONCE = 8 * RATE  # frames that are tapped before they are read
STARTED_S = 0.05  # after which a deck that was started is heard in full
GAIN_STEP = 48  # frames in which a fader is taken as still
AROUND_BARS = 1  # of a transition, for which it is rendered without its moves too
Audio = NDArray[np.float32]
Progress = Callable[[float], None]


class TransitionSound(NamedTuple):
    """A rendered transition.

    Parameters
    ----------
    mix : float32[frames, 2]
    out, into : DeckSound
        Mono.
    stems : tuple of mapping of str to float32[frames]
        Of both decks: each stem in the mix, for a picture.
    place : Audition
        When it begins and ends.
    """

    mix: Audio
    out: DeckSound
    into: DeckSound
    stems: tuple[Mapping[str, Audio], Mapping[str, Audio]]
    place: Audition

    def measure(self) -> Measures:
        """Measure it."""
        _, start_s, end_s, bar_s = self.place
        return measure(self.out, self.into, rate=RATE, start_s=start_s, end_s=end_s, bar_s=bar_s)


def render_transition(
    plan: Plan,
    facts: Mapping[int, TrackFacts],
    bundles: Mapping[int, Path],
    place: int,
    *,
    bars: int = PLATEAU_BARS + 1,
    progress: Progress | None = None,
) -> TransitionSound:
    """Render a transition of a plan.

    Parameters
    ----------
    plan : Plan
    facts : mapping of int to TrackFacts
        Of both tracks.
    bundles : mapping of int to Path
        Folders of both.
    place : int
        Of the transition, from 0.
    bars : int
        Rendered before it and after it.
    progress : callable, optional
        Called with the part done, 0..1.

    Raises
    ------
    Refused
        There is no such transition, or it cannot be performed.
    MediaError
        A bundle cannot be read.
    """
    say = progress or (lambda _: None)
    pair = plan.tracks[place : place + 2]
    made = audition(plan, facts, place, bars)
    still = replace(plan, transitions=tuple(replace(each, moves=()) for each in plan.transitions))
    short = audition(still, facts, place, min(bars, AROUND_BARS))
    decks = [track.deck - 1 for track in pair]
    stems = [tuple(stem for stem in STEMS if stem in facts[track.id].stems) for track in pair]
    whole_s, short_s = made.table.end_s, short.table.end_s
    share = whole_s / (whole_s + short_s)
    wanted = list(zip(decks, stems, strict=True))
    mix, moved = _rendered(made, bundles, wanted, lambda x: say(share * x))
    needed = [(d, tuple(s for s in (DRUMS, VOCALS) if s in names)) for d, names in wanted]
    _, unity = _rendered(short, bundles, needed, lambda x: say(share + (1 - share) * x))
    begun = round((LEAD_S + STARTED_S) * RATE)  # the outgoing deck plays from here on
    first = round((made.start_s - short.start_s) * RATE) + begun
    sounds = []
    for mixed, alone in zip(moved, unity, strict=True):
        # Farther away from the transition a deck is at unity in the mix, or silent in both.
        whole = {name: mixed[name].copy() for name in alone}
        for name, sound in alone.items():
            part = whole[name][first : first + len(sound) - begun]
            part[:] = sound[begun : begun + len(part)]
        sounds.append(
            DeckSound(
                mixed.pop(DECK),
                whole[DECK],
                drums=whole.get(DRUMS),
                vocals=mixed.get(VOCALS),
                vocals_unity=whole.get(VOCALS),
                tonal=_tonal(mixed),
            )
        )
    return TransitionSound(mix, sounds[0], sounds[1], (moved[0], moved[1]), made)


def _rendered(
    made: Audition,
    bundles: Mapping[int, Path],
    wanted: Sequence[tuple[int, tuple[str, ...]]],
    progress: Progress,
) -> tuple[Audio, list[dict[str, Audio]]]:
    """Return the master, and of each deck itself and the wanted stems, mono, after its fader."""
    script = parse_script(mix_script(made.table, {k: str(v) for k, v in bundles.items()}))
    engine = Offline(RATE, 2, BLOCK, mapped=True)
    taps = Taps(engine.dsp, 0)
    numbers = [
        {DECK: TAP_DECK + deck}
        | {stem: TAP_STEM + deck * STRIPS + STEMS.index(stem) for stem in stems}
        for deck, stems in wanted
    ]
    for each in numbers:
        for number in each.values():
            taps.open(number, AT_ONCE)
    faders = [f"deck{deck + 1}.fader" for deck, _ in wanted]
    master: list[Audio] = []
    parts: list[dict[str, list[Audio]]] = [{name: [] for name in each} for each in numbers]
    heads, levels = [0], [[engine.memory.value(path) for path in faders]]
    frames, at = round(script.end_s * RATE), 0
    for piece in perform(script, RATE, BLOCK, engine=engine):
        master.append(piece)
        head = taps.head
        heads.append(head)
        levels.append([engine.memory.value(path) for path in faders])
        # A ramp comes in pieces of 10 ms: to read them one by one took longer than to render.
        if head - at < AT_ONCE - 2 * RATE and head < frames:
            continue
        for each, part in zip(numbers, parts, strict=True):
            for name, number in each.items():
                wide = taps.read(number, at, head)[0]
                # `mean(axis=1)` of two columns takes forty times as long.
                part[name].append((wide[:, 0] + wide[:, 1]) * np.float32(0.5))
        at = head
        progress(min(1.0, at / max(1, frames)))
    mix = np.concatenate(master)[:frames]
    sounds = []
    for deck, part in enumerate(parts):
        # What is tapped is before the fader.
        gains = [10 ** (row[deck] / 20) if row[deck] > OFF else 0.0 for row in levels]
        gain = _gain(frames, heads, gains)
        found = {n: np.concatenate(pieces)[:frames] for n, pieces in part.items()}
        for sound in found.values():
            np.multiply(sound, gain, out=sound)
        sounds.append(found)
    return mix, sounds


def _tonal(stems: Mapping[str, Audio]) -> Audio | None:
    """Return the pitched stems together; None if there are none."""
    found = [stems[name] for name in TONAL if name in stems]
    return sum(found[1:], found[0]) if found else None


def _gain(frames: int, heads: Sequence[int], gains: Sequence[float]) -> Audio:
    """Return a gain for each frame, from those at some frames: a stair whose steps are 1 ms."""
    steps = np.arange(0, frames + GAIN_STEP, GAIN_STEP)
    coarse = np.interp(steps, heads, gains).astype(np.float32)
    return np.repeat(coarse, GAIN_STEP)[:frames]
