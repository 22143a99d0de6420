"""``python -m sfa_engine.script.audition``: the worker that renders a transition, or a whole mix.

::

    {"request": "…/auditions/KEY.json", "folder": "…/auditions/KEY"}
          │ plan, facts, bundles, place
          └─► folder: mix.flac, picture.svg, figures.json          whole or not at all

Without a place the whole mix is rendered: it has a length and a longest silence, no goals.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import MediaError
from sfa_engine.mix.audition_request import FIGURES, PICTURE, SOUND, AuditionRequest
from sfa_engine.mix.commands import times_of, timetable
from sfa_engine.mix.document import Plan
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.goals import goals_of
from sfa_engine.mix.mix_script import mix_script
from sfa_engine.mix.place_goals import place_goals
from sfa_engine.mix.plan_text import read_plan
from sfa_engine.prep.worker import Progress, field, main
from sfa_engine.script.levels import WINDOWS_HZ, Levels, silent_below
from sfa_engine.script.render import perform, write_wav
from sfa_engine.script.script import parse_script
from sfa_engine.script.transition_picture import mix_picture, transition_picture
from sfa_engine.script.transition_sound import BLOCK, RATE, render_transition
from sfa_engine.system.atomic import temporary_directory

Audio = NDArray[np.float32]


def work(values: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Render what a request says into a folder; return its figures."""
    folder = Path(field(values, "folder", str))
    path = Path(field(values, "request", str))
    try:
        request = msgspec.json.decode(path.read_bytes(), type=AuditionRequest)
    except (OSError, msgspec.DecodeError) as error:
        raise MediaError(f"{path} cannot be read: {error!s:.100}", "ask for it again") from None
    plan = read_plan(request.plan)
    facts = {each.id: each for each in request.facts}
    bundles = {int(number): Path(name) for number, name in request.bundles.items()}
    began_s = time.process_time()
    try:
        shutil.rmtree(folder, ignore_errors=True)
        with temporary_directory(folder) as part:
            if request.place is None:
                figures = _whole(plan, facts, bundles, part, progress)
            else:
                figures = _transition(plan, facts, bundles, request.place, part, progress)
            figures["cpu_s"] = round(time.process_time() - began_s, 2)
            (part / FIGURES).write_bytes(msgspec.json.encode(figures))
            part.rename(folder)
    except OSError as error:
        raise MediaError(f"{folder}: {error.strerror}", "free some space, then retry") from None
    return figures


def _transition(
    plan: Plan,
    facts: Mapping[int, TrackFacts],
    bundles: Mapping[int, Path],
    place: int,
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    sound = render_transition(
        plan, facts, bundles, place, progress=lambda x: progress(0.8 * x, "rendering")
    )
    progress(0.8, "measuring")
    found = sound.measure()
    goals = (
        *goals_of(found, plan.transitions[place], plan),
        *place_goals(plan, place, facts, found.tonal_both_bars),
    )
    picture = transition_picture(sound, plan, place, facts)
    (folder / PICTURE).write_text(picture, encoding="utf-8")
    progress(0.9, "writing")
    pieces = np.array_split(sound.mix, max(1, len(sound.mix) // RATE))
    peak = write_wav(folder / SOUND, iter(pieces), RATE, len(sound.mix))
    return {
        "length_s": round(len(sound.mix) / RATE, 3),
        "start_s": round(sound.place.start_s, 3),
        "end_s": round(sound.place.end_s, 3),
        "peak": round(peak, 4),
        "measures": msgspec.to_builtins(found),
        "goals": [each._asdict() for each in goals],
    }


def _whole(
    plan: Plan,
    facts: Mapping[int, TrackFacts],
    bundles: Mapping[int, Path],
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    table = timetable(plan, facts)
    script = parse_script(mix_script(table, {n: str(path) for n, path in bundles.items()}))
    frames = round(script.end_s * RATE)
    levels = Levels(RATE)

    def heard() -> Iterator[Audio]:
        for piece in perform(script, RATE, BLOCK):
            levels.add(piece)
            yield piece

    peak = write_wav(
        folder / SOUND, heard(), RATE, frames, lambda share: progress(share, "rendering")
    )
    level = levels.rows.astype(np.float32)
    times = times_of(plan, facts)
    picture = mix_picture(level, WINDOWS_HZ, plan, times)
    (folder / PICTURE).write_text(picture, encoding="utf-8")
    return {
        "length_s": round(table.end_s, 3),
        "peak": round(peak, 4),
        "longest_silence_s": _longest_silence_s(level, times[0].start_s, table.end_s),
        "measures": None,
        "goals": [],
    }


def _longest_silence_s(level: Audio, start_s: float, end_s: float) -> float:
    """Return the longest stretch 30 dB below the median while something should sound."""
    inside = level[round(start_s * WINDOWS_HZ) : round(end_s * WINDOWS_HZ)]
    if not len(inside):
        return 0.0
    quiet = inside < silent_below(inside.astype(np.float64))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    runs = edges[1::2] - edges[::2]
    return round(float(runs.max(initial=0)) / WINDOWS_HZ, 2)


if __name__ == "__main__":
    sys.exit(main(work))
