"""The demonstration: two tracks, sixty seconds, and everything the engine's first release does.

The mix is written as a script that can be read, changed and rendered again. The story, in bars
of the first track:

====== =======================================================================
0      deck 1 alone, out of its low-pass filter
4      deck 2 starts on the bar, at deck 1's tempo, without its low band
4-10   the crossfader brings it in
10     the basses change places (isolator)
14     deck 1 keeps only its voice: drums, bass and the rest are stem-muted
18     deck 2 loops a beat, then half of one, and goes on
20-24  deck 1 leaves through its high-pass filter
24     deck 2 alone returns to its own tempo
====== =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import soundfile

from sfa_engine.demo.groove import render_groove
from sfa_engine.system.atomic import temporary_directory
from sfa_engine.track.media import RATE, Bundle, read_bundle

LENGTH_S = 60.0
GROOVES = ("slow-gold", "quicksilver")
PHRASE_BARS = 8
LANES = (
    "crossfader",
    "deck1.filter",
    "deck1.stem.drums.mute",
    "deck1.eq.low.kill",
    "deck2.eq.low.kill",
    "deck2.rate",
)
Progress = Callable[[str, float], None]


def write_grooves(folder: Path, names: Sequence[str], progress: Progress) -> list[Path]:
    """Render tracks of the project's own as folders of stem files, unless they are there.

    Parameters
    ----------
    folder : Path
        Gets a folder for each track, named by its title, with a FLAC for each stem.
    names : sequence of str
        Of `sfa_engine.demo.groove.GROOVES`.
    progress : callable
        Told which one, and the part of it that is done, 0..1.

    Returns
    -------
    list of Path
        The folders.
    """
    made = []
    for name in names:
        path = folder / name
        if not path.exists():
            groove = render_groove(name, progress=partial(progress, name))
            with temporary_directory(path) as part:
                for stem, sound in groove.stems.items():
                    with soundfile.SoundFile(part / f"{stem}.flac", "w", RATE, 2, "PCM_24") as file:
                        file.title, file.artist = groove.title, groove.artist
                        file.write(sound)
                part.rename(path)
        progress(name, 1.0)
        made.append(path)
    return made


def _bar_s(bundle: Bundle, bar: float) -> float:
    """Return the time of a bar in a track, or of so many times two seconds if it has no grid."""
    track = bundle.track
    if track.grid is None:
        return bar * 2.0
    beat = bar * track.grid.beats_per_bar
    return max(0.0, float(track.grid.frame_of([beat], track.rate)[0]) / track.rate)


def write_script(first: Path, second: Path) -> str:
    """Return the demonstration's script for two bundles."""
    one, two = read_bundle(first), read_bundle(second)
    matched = one.track.grid is not None and two.track.grid is not None
    # Into the music: a third of the way, on a phrase of eight bars.
    start_bar = _phrase(one, 1 / 3)
    other_bar = _phrase(two, 1 / 3)
    start_s = _bar_s(one, start_bar)
    bar_s = _bar_s(one, start_bar + 1) - start_s

    def bar(number: float) -> float:
        return 0.5 + number * bar_s

    rate = 1.0
    if one.track.grid and two.track.grid:
        rate = one.track.grid.bpm / two.track.grid.bpm
    stems = {stem.name for stem in one.track.stems}
    rest = [name for name in ("drums", "bass", "other", "guitar", "piano") if name in stems]
    lines = [
        f"# {one.track.title} into {two.track.title}",
        f'0 load 1 "{first}"',
        f'0 load 2 "{second}"',
        "0 set crossfader -100",
        "0 set crossfader_curve power",
        "0 set deck1.leader on",
        "0 set deck1.filter -85",
        "0 set deck2.eq.low.kill on",
        f"0 set deck1.position {start_s:.6f}",
        f"0 set deck2.position {_bar_s(two, other_bar):.6f}",
        "0.5 set deck1.play on",
        f"0.5 mark {one.track.title}",
        f"0.5 ramp deck1.filter -85 0 over {4 * bar_s:.3f}",
        f"{bar(2):.3f} set deck2.sync {'beat' if matched else 'off'}",
        # Asked for a little before, so that it is the bar that decides.
        f"{bar(4) - 0.1:.3f} set deck2.play on" + (" at bar deck1" if matched else ""),
        f"{bar(4):.3f} mark {two.track.title} comes in",
        f"{bar(4):.3f} ramp crossfader -100 0 over {6 * bar_s:.3f}",
        f"{bar(10):.3f} set deck1.eq.low.kill on",
        f"{bar(10):.3f} set deck2.eq.low.kill off",
        f"{bar(10):.3f} mark basses swap",
        f"{bar(14):.3f} mark voice of one, band of the other",
        *(f"{bar(14):.3f} set deck1.stem.{name}.mute on" for name in rest if "vocals" in stems),
        *([f"{bar(14):.3f} set deck2.stem.vocals.mute on"] if "vocals" in stems else []),
        f"{bar(18):.3f} mark loop",
    ]
    if matched:
        lines += [
            "0 set deck2.quantise on",
            f"{bar(18):.3f} set deck2.loop.length 1",
            f"{bar(18):.3f} press deck2.loop.beatloop",
            f"{bar(19):.3f} press deck2.loop.halve",
            f"{bar(20):.3f} set deck2.loop.active off",
        ]
    lines += [
        f"{bar(20):.3f} mark out by the high-pass",
        f"{bar(20):.3f} ramp deck1.filter 0 90 over {4 * bar_s:.3f}",
        f"{bar(20):.3f} ramp crossfader 0 100 over {4 * bar_s:.3f}",
        f"{bar(20):.3f} set deck2.stem.vocals.mute off",
        f"{bar(24):.3f} mark back to its own tempo",
        f"{bar(24):.3f} set deck1.play off",
        f"{bar(24):.3f} set deck2.sync off",
        f"{bar(24):.3f} set deck2.rate {rate:.9f}",
        f"{bar(24) + 0.05:.3f} ramp deck2.rate {rate:.9f} 1 over {3 * bar_s:.3f}",
    ]
    fade_s = 4.0
    end_s = max(LENGTH_S, bar(28))
    lines += [
        f"{end_s - fade_s:.3f} ramp deck2.filter 0 -90 over {fade_s - 0.1:.3f}",
        f"{end_s - fade_s:.3f} ramp deck2.fader 0 -40 over {fade_s - 0.1:.3f}",
        f"{end_s:.3f} end",
    ]
    return "\n".join(lines) + "\n"


def _phrase(bundle: Bundle, share: float) -> int:
    """Return the bar that a phrase begins with, nearest to a share of a track, a minute left.

    The form of the track says where phrases begin; without one they have eight bars.
    """
    track = bundle.track
    length_s = track.frames / track.rate
    bar_s = _bar_s(bundle, 9) - _bar_s(bundle, 8)
    latest = max(0.0, (length_s - LENGTH_S) / bar_s)
    wanted = min(length_s * share / bar_s, latest)
    begins = [0.0]
    if track.grid is not None:
        beats = track.grid.beat_of([part.start_frames for part in track.sections], track.rate)
        begins += [float(beat) / track.grid.beats_per_bar for beat in beats]
    bars = [round(bar) for bar in begins if 0.0 <= bar <= latest + 0.5]
    near = min(bars, key=lambda bar: abs(bar - wanted), default=0)
    return near if abs(near - wanted) < PHRASE_BARS else int(wanted // PHRASE_BARS * PHRASE_BARS)
