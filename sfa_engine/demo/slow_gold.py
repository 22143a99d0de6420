"""Slow Gold: melodic house in A minor, 122 BPM, 48 bars.

::

    bars    0        8        16       24       32       40       48
            intro    build    drop     break    groove   outro
    drums   k   full full   ^ full   ^ -   roll full   ^ full k
    bass    -        sub      full     -   long full     sub  -
    other   -   stab stab pad all      pad arp/ all lead pad  -
    vocals  -        chops    hook     long     hook 3rd chop -

Four chords of two bars each: Am9, Fmaj9, Dm9, Em7. ``^`` is a fill, ``/`` a riser, ``-`` rests.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfa_engine.demo import drum, effect, ensemble, voice
from sfa_engine.demo.score import Grid, Piece, Signal, Tape, play, ramp
from sfa_engine.demo.singer import Syllable

BARS = 48

# MIDI numbers: root of the bass, voicing in the middle, notes of the arpeggio
CHORDS = (
    (33, (57, 60, 64, 67, 71), (69, 76, 72, 79, 71, 76)),  # Am9
    (29, (53, 57, 60, 64, 67), (69, 77, 72, 76, 67, 72)),  # Fmaj9
    (38, (53, 57, 60, 64, 65), (69, 74, 72, 77, 76, 72)),  # Dm9
    (28, (55, 59, 62, 64, 67), (67, 76, 71, 74, 71, 79)),  # Em7
)


def _chord(bar: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return CHORDS[(bar % 8) // 2]


def kicks(grid: Grid) -> list[int]:
    """Return the frame of every kick."""
    short = {15: 2, 23: 3, 39: 3}  # bars that end early, and after how many beats
    return [
        grid.frame(bar, 4 * beat)
        for bar in range(BARS)
        if not 24 <= bar < 32
        for beat in range(short.get(bar, 4))
    ]


def drums(grid: Grid) -> Signal:
    """Return the drums: float32[frames, 2]."""
    rate, tape, loose = grid.rate, Tape(grid.frames), np.random.default_rng(122)
    booth = effect.room(rate, 1, 0.45, 0.004)
    kick = drum.kick(rate, 55.0)
    clap = effect.in_room(drum.clap(rate), booth, 0.25, round(0.55 * rate), rate)
    snare = effect.in_room(drum.snare(rate, 196.0), booth, 0.2, round(0.45 * rate), rate)
    closed = [drum.hat(rate, 0.020, 40 + k, 0.09) for k in range(4)]
    opened = [drum.hat(rate, 0.085, 50 + k, 0.24) for k in range(2)]
    shakes = [drum.shaker(rate, 60 + k) for k in range(4)]
    rides = [drum.ride(rate, 70 + k) for k in range(2)]
    crash = drum.crash(rate)
    low, high = drum.tom(rate, 164.8, 0.07), drum.tom(rate, 220.0, 0.06)
    toms = [drum.tom(rate, f, 0.11) for f in (220.0, 164.8, 130.8, 110.0)]
    stick = drum.rim(rate)

    for frame in kicks(grid):
        tape.lay(kick, frame, 0.60)
    beat = [*range(4, 24), *range(32, 44)]
    play(tape, grid, [b for b in beat if b != 15], "....9.......9...", [clap], 0.34)
    play(tape, grid, beat, ("......2..2.....2", ".......2.2....32"), [snare], 0.30, 0.1, loose)
    ensemble.shake(tape, grid, "5386 5387 5386 5388", shakes, -0.35, loose)
    play(tape, grid, beat, ("6.4.6.4.6.4.6.43", "6.4.6.436.4.6.4."), closed, 0.30, 0.25, loose)
    play(tape, grid, [*range(6, 24), *range(32, 44)], "..8...8...8...8.", opened, 0.32, 0.1, loose)
    full = [*range(16, 24), *range(32, 40)]
    play(tape, grid, [*range(8, 16), *full], "...5.......6..5.", [low], 0.20, -0.5, loose)
    play(tape, grid, full, ("......6....5....", "......6..4...5.."), [high], 0.16, 0.5, loose)
    play(tape, grid, full, ("...6......6.....", "...6..3...6..4.."), [stick], 0.13, 0.35, loose)
    play(tape, grid, range(34, 40), "9.6.9.6.9.6.9.6.", rides, 0.085, -0.2, loose)
    for bar in (8, 16, 32, 36, 40):
        tape.lay(crash, grid.frame(bar), 0.22)
    _fills(tape, grid, snare, toms)
    return effect.drive(tape.sound, 0.7)


def _fills(tape: Tape, grid: Grid, snare: Signal, toms: list[Signal]) -> None:
    """Lay what happens at the ends of phrases."""
    for bar in (7, 19, 35):
        for place, k in ((10, 0), (12, 1), (13, 2), (14, 3)):
            tape.lay(toms[k], grid.frame(bar, place), 0.26, 0.5 - 0.33 * k)
    for bar in (23, 39):
        for k, step in enumerate((10.0, 11.0, 12.0, 12.67, 13.33, 14.0, 15.0)):
            tape.lay(snare, grid.frame(bar, step), 0.16 + 0.03 * k, 0.15)
    for k, step in enumerate((8.0, 10.0, 11.0, 12.0, 13.0, 14.0, 14.5, 15.0, 15.5)):
        tape.lay(snare, grid.frame(15, step), 0.14 + 0.02 * k, 0.1)
    ensemble.roll(tape, grid, snare, 29, 0.29)


def bass(grid: Grid) -> Signal:
    """Return the bass: float32[frames, 2], the same on both sides."""
    rate, tape = grid.rate, Tape(grid.frames)
    shots: dict[tuple[int, float, float], Signal] = {}

    def note(bar: int, step: float, pitch: int, steps: float, bright: float, gain: float) -> None:
        key = (pitch, steps, bright)
        if key not in shots:
            shots[key] = voice.round_bass(pitch, grid.length_s(steps), rate, bright)
        tape.lay(shots[key], grid.frame(bar, step), gain)

    # step, interval, length in steps, how bright
    even = (
        (2, 0, 1.7, 0.8), (5, 0, 1.0, 0.4), (6, 0, 2.0, 1.0), (10, 12, 1.6, 1.2),
        (13, 7, 0.9, 0.5), (14, 0, 1.9, 0.8),
    )  # fmt: skip
    odd = (
        (2, 0, 1.7, 0.8), (6, 0, 2.0, 1.0), (9, 0, 0.9, 0.4), (10, 12, 1.2, 1.2),
        (11, 7, 1.0, 0.6), (14, 7, 1.0, 0.8), (15, 12, 1.0, 1.0),
    )  # fmt: skip
    for bar in [*range(16, 24), *range(32, 40)]:
        root = _chord(bar)[0]
        for step, interval, steps, bright in odd if bar % 2 else even:
            lift = 1.5 if bar >= 32 else 1.0
            note(bar, step, root + interval, steps, bright * lift, 0.36)
    for bar in [*range(8, 16), *range(40, 44)]:
        root = _chord(bar)[0]
        for step, steps in ((2, 2.0), (6, 2.0), (10, 2.0), (14, 1.5)):
            note(bar, step, root, steps, 0.15, 0.30)
    for bar in (28, 30):
        note(bar, 0, _chord(bar)[0], 26.0, 0.1, 0.24)
    tape.sound *= effect.duck(grid.frames, kicks(grid), rate, 0.75, 0.20)[:, None]
    return tape.sound


def other(grid: Grid) -> Signal:
    """Return chords, pads, plucks and noises: float32[frames, 2]."""
    rate, tape = grid.rate, Tape(grid.frames)
    voicings = [chord[1] for chord in CHORDS for _ in (0, 1)]
    stabs = ensemble.Stabs(voicings, 0.42, rate, 900.0, 5200.0)
    stabs.play(tape, grid, range(4, 8), "......6.........", (0.0, 0.05), 0.20, send=0.9)
    stabs.play(tape, grid, range(8, 16), "...7..8...5..7..", (0.0, 0.5), 0.24, send=0.3)
    stabs.play(tape, grid, range(16, 24), "...7..8...5..7..", (0.6, 0.7), 0.30, send=0.28)
    stabs.play(tape, grid, range(24, 32), "......7.........", (0.1, 0.8), 0.18, send=0.9)
    stabs.play(tape, grid, range(32, 40), "...7..8...5..7..", (0.7, 1.0), 0.30, send=0.28)
    stabs.play(tape, grid, range(40, 44), "......7......5..", (0.3, 0.0), 0.18, send=0.6)

    loud = [*ramp(0.02, 0.13, 8), *ramp(0.10, 0.10, 8), *ramp(0.16, 0.22, 8), *ramp(0.11, 0.11, 8),
            *ramp(0.12, 0.02, 4)]  # fmt: skip
    ensemble.pads(tape, grid, voicings, range(8, 44), 2, loud)

    plucks: dict[tuple[int, bool], Signal] = {}
    for bar in [*range(18, 24), *range(24, 40)]:
        calm = 24 <= bar < 32
        for step, note in zip((0, 3, 6, 8, 11, 14), _chord(bar)[2], strict=True):
            if (note, calm) not in plucks:
                plucks[note, calm] = voice.pluck(note, 0.34, rate, 1200.0 if calm else 3200.0)
            pan = 0.35 if step % 2 else -0.35
            tape.lay(plucks[note, calm], grid.frame(bar, step), 0.12, pan, 0.8 if calm else 0.45)
    # the counter-melody of the last groove: step of two bars, note, length in steps
    for bar in range(32, 40, 4):
        for step, note, steps in (
            (4, 88, 6), (12, 86, 4), (16, 84, 6), (24, 83, 8), (36, 81, 6), (44, 84, 4),
            (48, 83, 10),
        ):  # fmt: skip
            shot = voice.pluck(note, grid.length_s(steps), rate, 2600.0)
            tape.lay(shot, grid.frame(bar, step), 0.11, 0.15, 0.7)
    ensemble.announce(tape, grid, ((7, 1, 0.08), (12, 4, 0.16), (28, 4, 0.20)))

    space = effect.room(rate, 2, 2.0)
    return ensemble.blend(
        tape, grid, kicks(grid), 0.55, 0.23, space, 0.40, 0.75 * grid.beat_s, 0.55
    )


# beat, length in beats, note, phones; the chords change every eight beats
CALL = (
    Syllable(0.0, 1.75, 64, "slou"), Syllable(2.0, 2.6, 67, "gould"),
    Syllable(8.0, 1.0, 69, "hould"), Syllable(9.25, 0.6, 67, "mi"), Syllable(10.0, 2.6, 64, "lou"),
    Syllable(16.0, 1.75, 65, "slou"), Syllable(18.0, 2.6, 69, "gould"),
    Syllable(24.0, 0.7, 71, "let"), Syllable(24.75, 0.9, 69, "it"), Syllable(26.0, 1.6, 67, "glou"),
    Syllable(27.6, 1.7, 64, "ou"),
)  # fmt: skip
RESPONSE = (
    Syllable(5.5, 0.45, 72, "ha"), Syllable(6.25, 0.4, 71, "a"), Syllable(7.0, 0.7, 69, "ou"),
    Syllable(13.5, 0.45, 72, "ha"), Syllable(14.25, 0.4, 72, "a"), Syllable(15.0, 0.7, 76, "yA"),
    Syllable(21.5, 0.45, 74, "ha"), Syllable(22.25, 0.4, 72, "a"), Syllable(23.0, 0.7, 69, "ou"),
    Syllable(29.75, 0.4, 71, "hei"), Syllable(30.5, 0.4, 74, "a"), Syllable(31.0, 0.7, 76, "yA"),
)  # fmt: skip
LONG = (
    Syllable(0.0, 3.5, 69, "ua"), Syllable(3.5, 3.5, 64, "ao"), Syllable(8.0, 3.5, 72, "ua"),
    Syllable(11.5, 3.5, 69, "ao"), Syllable(16.0, 3.5, 69, "oa"), Syllable(19.5, 3.5, 65, "ao"),
    Syllable(24.0, 2.0, 71, "ua"), Syllable(26.0, 2.0, 67, "a"), Syllable(28.9, 0.8, 64, "slou"),
    Syllable(30.0, 1.6, 67, "gould"),
)  # fmt: skip


def vocals(grid: Grid) -> Signal:
    """Return the singer, her doubles and her rooms: float32[frames, 2]."""
    rate, tape = grid.rate, Tape(grid.frames)
    choir = ensemble.Choir(tape, grid)
    choir.small(8, RESPONSE[:3], 500, 0.18, 0.6)
    choir.small(8, RESPONSE[6:], 510, 0.20, 0.6)
    choir.lead(16, CALL, 520, 0.34, 0.22)
    choir.small(16, RESPONSE, 530, 0.20, 0.35)
    choir.lead(24, LONG, 540, 0.26, 0.75)
    choir.lead(32, CALL, 520, 0.34, 0.22)
    third = {64: 67, 65: 69, 67: 71, 69: 72, 71: 74}  # a third above, in A minor
    choir.behind(32, [replace(s, note=third[int(s.note)]) for s in CALL], 560, 0.13, 0.3)
    choir.small(32, RESPONSE, 530, 0.20, 0.35)
    choir.small(40, RESPONSE[:3], 580, 0.18, 0.9)
    space = effect.room(rate, 3, 2.4)
    return ensemble.blend(
        tape, grid, kicks(grid), 0.30, 0.16, space, 0.45, 0.75 * grid.beat_s, 0.45
    )


PIECE = Piece(
    title="Slow Gold",
    key="A minor",
    bpm=122.0,
    swing=0.55,
    lead_in_s=0.0,
    bars=BARS,
    form=(("intro", 0), ("build", 8), ("drop", 16), ("break", 24), ("groove", 32), ("outro", 40)),
    parts={"vocals": vocals, "drums": drums, "bass": bass, "other": other},
    levels={"vocals": 0.58, "drums": 0.86, "bass": 1.09, "other": 1.00},
)
