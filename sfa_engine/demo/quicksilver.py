"""Quicksilver: speed garage in E minor, 128 BPM, 48 bars; the last groove is two-step.

::

    bars    0        8        16       24       32       40       48
            intro    build    drop     break    two-step outro
    drums   k   full full   ^ full   ^ -   roll broken ^ full k
    bass    -        tease    warp     -   long warp     tease -
    other   -   dub  dub org/ organ    pad bel/ all      dub  -
    vocals  -        chops    hook     long     hook 3rd chop -

Eight bars of chords: Em7, Em7, Cmaj7, Bm7, Em7, Em7, Am7, Em7. The sixteenths swing hard, the
kick never does. ``^`` is a fill, ``/`` a riser, ``-`` rests.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfa_engine.demo import drum, effect, ensemble, voice
from sfa_engine.demo.score import Grid, Piece, Signal, Tape, play, ramp
from sfa_engine.demo.singer import Syllable

BARS = 48

EM, CM, AM, BM = (52, 59, 62, 64, 67), (52, 55, 59, 60), (52, 57, 60, 67), (50, 57, 59, 66)
VOICINGS = (EM, EM, CM, BM, EM, EM, AM, EM)
ROOTS = (28, 28, 36, 35, 28, 28, 33, 28)
BELLS = {EM: (76, 79, 83, 74, 76), CM: (76, 79, 83, 72, 71), AM: (76, 81, 84, 72, 79),
         BM: (74, 78, 83, 69, 71)}  # fmt: skip


def kicks(grid: Grid) -> list[int]:
    """Return the frame of every kick; all of them stand on even steps, which do not swing."""
    out = []
    for bar in range(BARS):
        if 24 <= bar < 32:
            continue
        steps: tuple[int, ...] = (0, 4, 8, 12)
        if 32 <= bar < 40:
            steps = (0, 6, 10) if bar % 2 else (0, 10)
        if bar in (15, 23, 39):
            steps = (0, 4)
        out += [grid.frame(bar, step) for step in steps]
    return out


def drums(grid: Grid) -> Signal:
    """Return the drums: float32[frames, 2]."""
    rate, tape, loose = grid.rate, Tape(grid.frames), np.random.default_rng(128)
    booth = effect.room(rate, 4, 0.40, 0.003)
    kick = drum.kick(rate, 49.0, 0.34, 1.2)
    clap = effect.in_room(drum.clap(rate, 121), booth, 0.2, round(0.5 * rate), rate)
    snare = effect.in_room(drum.snare(rate, 220.0, 131), booth, 0.25, round(0.45 * rate), rate)
    closed = [drum.hat(rate, 0.016, 140 + k, 0.07) for k in range(4)]
    opened = [drum.hat(rate, 0.070, 150 + k, 0.20) for k in range(2)]
    shakes = [drum.shaker(rate, 160 + k, 0.07) for k in range(4)]
    rides = [drum.ride(rate, 170 + k, 0.6) for k in range(2)]
    crash = drum.crash(rate, 161)
    bongos = [drum.tom(rate, f, 0.05, 171) for f in (246.9, 329.6)]
    toms = [drum.tom(rate, f, 0.10, 172) for f in (246.9, 196.0, 164.8, 123.5)]
    stick = drum.rim(rate)

    for frame in kicks(grid):
        tape.lay(kick, frame, 0.60)
    four, broken = [*range(4, 24), *range(40, 44)], [*range(32, 40)]
    both = [*four, *broken]
    back = [b for b in both if b not in (15, 23, 39)]
    play(tape, grid, back, "....9.......9...", [clap], 0.26)
    play(tape, grid, back, "....9.......9...", [snare], 0.24)
    play(tape, grid, both, (".......3.2....3.", "..2....3......24"), [snare], 0.30, 0.1, loose)
    play(tape, grid, four, ("5.7.5.73.57.5.7.", "5.7.5.7.357.5375"), closed, 0.29, 0.2, loose)
    play(tape, grid, broken, ("6.83.68.6.83.68.", "6.83.6.86.83.686"), closed, 0.30, 0.2, loose)
    offs = [*range(6, 24), *range(40, 44)]
    play(tape, grid, offs, "..8...8...8...8.", opened, 0.32, -0.1, loose)
    play(tape, grid, broken, ("..7..........8..", "..7.....7....8.."), opened, 0.29, -0.1, loose)
    ensemble.shake(tape, grid, "4376 4376 4376 4378", shakes, 0.4, loose)
    full = [*range(16, 24), *broken]
    skips = (".......6.....5..", "...5...6.....6..")
    play(tape, grid, [*range(8, 16), *full], skips, [stick], 0.17, -0.35, loose)
    play(tape, grid, full, ("...4..6....5..4.", "......6..4.5..6."), bongos, 0.15, -0.5, loose)
    play(tape, grid, range(20, 24), "..8...8...8...8.", rides, 0.08, 0.25, loose)
    play(tape, grid, range(36, 39), "9...8...9...8...", rides, 0.08, 0.25, loose)
    for bar in (8, 16, 32, 36, 40):
        tape.lay(crash, grid.frame(bar), 0.22)
    _fills(tape, grid, snare, toms)
    return effect.drive(tape.sound, 0.7)


def _fills(tape: Tape, grid: Grid, snare: Signal, toms: list[Signal]) -> None:
    """Lay what happens at the ends of phrases."""
    for bar in (7, 19, 35):
        for place, k in ((11, 0), (12, 1), (13, 1), (14, 2), (15, 3)):
            tape.lay(toms[k], grid.frame(bar, place), 0.24, 0.5 - 0.33 * k)
    for bar in (15, 23, 39):
        for k, step in enumerate((4.0, 7.0, 8.0, 9.0, 11.0, 12.0, 13.0, 14.0)):
            tape.lay(snare, grid.frame(bar, step), 0.20 + 0.02 * k, 0.1)
    ensemble.roll(tape, grid, snare, 29, 0.29)


def bass(grid: Grid) -> Signal:
    """Return the bass: float32[frames, 2], the same on both sides."""
    rate, tape = grid.rate, Tape(grid.frames)
    shots: dict[tuple[int, int, float, float, float], Signal] = {}

    def note(bar: int, step: float, pitch: int, before: int, steps: float, wobble: float,
             open_hz: float, gain: float) -> None:  # fmt: skip
        key = (pitch, before, steps, wobble, open_hz)
        if key not in shots:
            seconds, period_s = grid.length_s(steps), grid.length_s(wobble)
            shots[key] = voice.warp_bass(pitch, before, seconds, rate, period_s, open_hz)
        tape.lay(shots[key], grid.frame(bar, step), gain)

    # step, interval, length and period of the wobble in steps
    even = (
        (2, 0, 3.4, 2.0), (6, 0, 1.4, 4.0), (9, 0, 1.0, 4.0), (10, 12, 1.6, 4.0),
        (12, 0, 3.4, 1.33),
    )  # fmt: skip
    odd = (
        (1, 0, 1.0, 4.0), (2, 0, 1.8, 4.0), (6, 12, 1.6, 4.0), (8, 0, 3.6, 2.0),
        (13, 7, 0.9, 4.0), (14, 12, 1.6, 4.0),
    )  # fmt: skip
    last = ROOTS[0]
    for bar in [*range(16, 24), *range(32, 40)]:
        root = ROOTS[bar % 8]
        for step, interval, steps, wobble in odd if bar % 2 else even:
            pitch = root + interval
            note(bar, step, pitch, last, steps, wobble, 1300.0 if bar < 32 else 2000.0, 0.36)
            last = pitch
    for bar in [*range(8, 16), *range(40, 44)]:
        root = ROOTS[bar % 8]
        for step, steps in ((2, 3.4), (9, 1.0), (10, 3.0)):
            note(bar, step, root, root, steps, 8.0, 260.0, 0.32)
    for bar in (28, 30):
        note(bar, 0, ROOTS[bar % 8], ROOTS[bar % 8], 26.0, 16.0, 200.0, 0.24)
    tape.sound *= effect.duck(grid.frames, kicks(grid), rate, 0.75, 0.17)[:, None]
    return tape.sound


def other(grid: Grid) -> Signal:
    """Return organ, dub chords, pads, bells and noises: float32[frames, 2]."""
    rate, tape = grid.rate, Tape(grid.frames)
    organs = {notes: voice.organ(notes, 0.30, rate) for notes in sorted(set(VOICINGS))}
    for bars, lines, first, last in (
        (range(10, 16), ("..7..7....7.....",), 0.10, 0.20),
        (range(16, 24), ("..8..8..7.8..7..", "..8..8..7....868"), 0.26, 0.26),
        (range(32, 40), ("..8..8..7.8..7..", "..8..8..7....868"), 0.26, 0.26),
    ):
        for k, (bar, level) in enumerate(zip(bars, ramp(first, last, len(bars)), strict=True)):
            shot = organs[VOICINGS[bar % 8]]
            play(tape, grid, [bar], lines[k % len(lines)], [shot], level, send=0.25)

    stabs = ensemble.Stabs(VOICINGS, 0.34, rate, 700.0, 4500.0)
    stabs.play(tape, grid, range(4, 8), "......7.........", (0.0, 0.1), 0.20, send=1.0)
    stabs.play(tape, grid, range(8, 16), "......7.....5...", (0.1, 0.7), 0.17, send=0.6)
    stabs.play(tape, grid, range(16, 24), "......7.........", (0.7, 0.4), 0.15, send=0.5)
    stabs.play(tape, grid, range(24, 32), "..7.......5.....", (0.0, 0.9), 0.16, send=0.9)
    stabs.play(tape, grid, range(32, 40), "...7......8.....", (0.8, 0.6), 0.16, send=0.4)
    stabs.play(tape, grid, range(40, 44), "......7.........", (0.4, 0.0), 0.18, send=0.9)

    loud = [*ramp(0.02, 0.10, 8), *ramp(0.08, 0.08, 8), *ramp(0.16, 0.22, 8), *ramp(0.09, 0.09, 8),
            *ramp(0.10, 0.02, 4)]  # fmt: skip
    high = [tuple(n + 12 if n < 56 else n for n in notes) for notes in VOICINGS]
    ensemble.pads(tape, grid, high, range(8, 44), 1, loud)

    plucks: dict[tuple[int, bool], Signal] = {}
    for bar in range(24, 40):
        calm = bar < 32
        bells = BELLS[VOICINGS[bar % 8]]
        for step, note in zip((0, 3, 6, 10, 13), bells, strict=True):
            if (note, calm) not in plucks:
                plucks[note, calm] = voice.pluck(note, 0.30, rate, 1000.0 if calm else 2800.0)
            pan = 0.4 if step % 2 else -0.4
            tape.lay(plucks[note, calm], grid.frame(bar, step), 0.11, pan, 0.8 if calm else 0.5)
    ensemble.announce(tape, grid, ((7, 1, 0.08), (12, 4, 0.16), (28, 4, 0.20)))

    space = effect.room(rate, 5, 1.7)
    return ensemble.blend(tape, grid, kicks(grid), 0.5, 0.18, space, 0.36, 0.75 * grid.beat_s, 0.6)


# beat, length in beats, note, phones
CALL = (
    Syllable(0.5, 0.6, 67, "kwik"), Syllable(1.25, 0.45, 69, "sil"), Syllable(1.75, 0.9, 71, "va"),
    Syllable(3.25, 0.5, 71, "kip"), Syllable(4.0, 0.45, 69, "mi"), Syllable(4.5, 0.45, 67, "mu"),
    Syllable(5.0, 0.9, 64, "vin"),
    Syllable(8.5, 0.6, 67, "kwik"), Syllable(9.25, 0.45, 69, "sil"), Syllable(9.75, 0.9, 67, "va"),
    Syllable(11.25, 0.5, 67, "lan"), Syllable(12.0, 1.6, 66, "nin"),
    Syllable(16.5, 0.6, 67, "kwik"), Syllable(17.25, 0.45, 69, "sil"),
    Syllable(17.75, 0.9, 76, "va"),
    Syllable(19.25, 0.5, 74, "kip"), Syllable(20.0, 0.45, 71, "mi"), Syllable(20.5, 0.45, 69, "mu"),
    Syllable(21.0, 0.9, 64, "vin"),
    Syllable(24.0, 1.4, 72, "oua"), Syllable(25.5, 0.5, 71, "a"), Syllable(26.0, 1.6, 69, "au"),
    Syllable(28.0, 1.5, 71, "heya"), Syllable(29.5, 0.5, 67, "a"), Syllable(30.0, 1.0, 64, "ou"),
)  # fmt: skip
RESPONSE = (
    Syllable(6.25, 0.22, 76, "da"), Syllable(6.5, 0.22, 76, "da"), Syllable(7.0, 0.35, 74, "da"),
    Syllable(7.5, 0.45, 71, "dou"),
    Syllable(14.25, 0.22, 74, "da"), Syllable(14.5, 0.22, 74, "da"), Syllable(15.0, 0.35, 78, "da"),
    Syllable(15.5, 0.45, 76, "yA"),
    Syllable(22.25, 0.22, 76, "da"), Syllable(22.5, 0.22, 76, "da"), Syllable(23.0, 0.35, 79, "da"),
    Syllable(23.5, 0.45, 76, "dou"),
    Syllable(31.0, 0.35, 79, "hei"), Syllable(31.5, 0.4, 76, "ya"),
)  # fmt: skip
LONG = (
    Syllable(0.0, 3.5, 71, "oa"), Syllable(4.0, 3.5, 64, "ao"), Syllable(8.0, 3.5, 67, "ua"),
    Syllable(12.0, 3.5, 66, "ao"), Syllable(16.0, 3.5, 71, "oa"), Syllable(20.0, 3.5, 76, "ao"),
    Syllable(24.0, 3.5, 72, "ua"), Syllable(28.75, 0.6, 71, "kwik"), Syllable(29.5, 0.5, 67, "sil"),
    Syllable(30.0, 1.6, 64, "va"),
)  # fmt: skip


def vocals(grid: Grid) -> Signal:
    """Return the singer, her doubles and her rooms: float32[frames, 2]."""
    rate, tape = grid.rate, Tape(grid.frames)
    choir = ensemble.Choir(tape, grid)
    choir.small(8, RESPONSE[:8], 600, 0.18, 0.5)
    choir.small(8, RESPONSE[12:], 610, 0.20, 0.6)
    choir.lead(16, CALL, 620, 0.34, 0.18)
    choir.small(16, RESPONSE, 630, 0.20, 0.3)
    choir.lead(24, LONG, 640, 0.26, 0.75)
    choir.lead(32, CALL, 620, 0.34, 0.18)
    third = {64: 67, 66: 69, 67: 71, 69: 72, 71: 74, 72: 76, 74: 78, 76: 79}  # thirds in E minor
    choir.behind(32, [replace(s, note=third[int(s.note)]) for s in CALL], 660, 0.12, 0.3)
    choir.small(32, RESPONSE, 630, 0.20, 0.3)
    choir.small(40, RESPONSE[:4], 680, 0.18, 0.9)
    space = effect.room(rate, 6, 2.0)
    return ensemble.blend(tape, grid, kicks(grid), 0.30, 0.13, space, 0.4, 0.75 * grid.beat_s, 0.4)


PIECE = Piece(
    title="Quicksilver",
    key="E minor",
    bpm=128.0,
    swing=0.60,
    lead_in_s=0.25,
    bars=BARS,
    form=(("intro", 0), ("build", 8), ("drop", 16), ("break", 24), ("two-step", 32), ("outro", 40)),
    parts={"vocals": vocals, "drums": drums, "bass": bass, "other": other},
    levels={"vocals": 0.55, "drums": 0.86, "bass": 0.95, "other": 1.00},
)
