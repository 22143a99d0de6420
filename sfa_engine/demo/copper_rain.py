"""Copper Rain: deep dub house in F minor, 118 BPM, 48 bars.

::

    bars    0        8        16       24       32       40       48
            intro    build    drop     break    groove   outro
    drums   k   full full   ^ full   ^ -   roll full   ^ full k
    bass    -        sub      full     -   long full     sub  -
    other   -   dub  dub  pad organ /  pad bel/ all      dub  -
    vocals  -        chops    hook     long     hook 3rd chop -

Four chords of two bars each: Fm9, Dbmaj7, Bbm9, Cm11; all of them have the tonic and its fifth.
``^`` is a fill, ``/`` a riser, ``-`` rests.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfa_engine.demo import drum, effect, ensemble, voice
from sfa_engine.demo.score import Grid, Piece, Signal, Tape, play, ramp
from sfa_engine.demo.singer import Syllable

BARS = 48

# MIDI numbers: root of the bass, voicing in the middle, notes of the bells
CHORDS = (
    (29, (53, 56, 60, 63, 67), (77, 80, 84, 72, 77)),  # Fm9
    (37, (49, 53, 56, 60, 65), (77, 80, 84, 72, 73)),  # Dbmaj7
    (34, (53, 58, 60, 61, 65), (77, 82, 85, 72, 77)),  # Bbm9
    (36, (48, 53, 55, 58, 63), (75, 79, 84, 72, 77)),  # Cm11
)


def _chord(bar: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return CHORDS[(bar % 8) // 2]


def kicks(grid: Grid) -> list[int]:
    """Return the frame of every kick."""
    short = {15: 3, 23: 2, 39: 3}  # bars that end early, and after how many beats
    return [
        grid.frame(bar, 4 * beat)
        for bar in range(BARS)
        if not 24 <= bar < 32
        for beat in range(short.get(bar, 4))
    ]


def drums(grid: Grid) -> Signal:
    """Return the drums: float32[frames, 2]."""
    rate, tape, loose = grid.rate, Tape(grid.frames), np.random.default_rng(118)
    booth = effect.room(rate, 7, 0.60, 0.006)
    kick = drum.kick(rate, 46.0)
    clap = effect.in_room(drum.clap(rate, 201), booth, 0.30, round(0.6 * rate), rate)
    snare = effect.in_room(drum.snare(rate, 185.0, 211), booth, 0.25, round(0.5 * rate), rate)
    closed = [drum.hat(rate, 0.018, 220 + k, 0.08) for k in range(4)]
    opened = [drum.hat(rate, 0.095, 230 + k, 0.26) for k in range(2)]
    shakes = [drum.shaker(rate, 240 + k) for k in range(4)]
    rides = [drum.ride(rate, 250 + k) for k in range(2)]
    crash = drum.crash(rate, 241)
    low, high = drum.tom(rate, 174.6, 0.06, 251), drum.tom(rate, 261.6, 0.05, 251)
    toms = [drum.tom(rate, f, 0.11, 252) for f in (261.6, 207.7, 174.6, 130.8)]
    stick = drum.rim(rate)

    for frame in kicks(grid):
        tape.lay(kick, frame, 0.60)
    beat = [*range(4, 24), *range(32, 44)]
    back = [b for b in beat if b != 23]
    play(tape, grid, back, "....9.......9...", [clap], 0.32)
    play(tape, grid, beat, (".......2......3.", "...2.......2...."), [snare], 0.28, -0.1, loose)
    ensemble.shake(tape, grid, "6275 6275 6275 6278", shakes, 0.35, loose)
    play(tape, grid, beat, ("4...4.3.4...4.5.", "4...4.3.4..34.53"), closed, 0.28, -0.25, loose)
    play(tape, grid, [*range(6, 24), *range(32, 44)], "..8...8...8...8.", opened, 0.31, 0.0, loose)
    full = [*range(16, 24), *range(32, 40)]
    play(tape, grid, [*range(8, 16), *full], "......5..6......", [stick], 0.18, -0.4, loose)
    play(tape, grid, full, ("...5......6..5..", "...5..4...6....."), [low], 0.19, 0.5, loose)
    play(tape, grid, full, (".....4.......6..", ".....4..5......."), [high], 0.15, -0.5, loose)
    play(tape, grid, range(34, 40), "..8...8...8...8.", rides, 0.085, 0.25, loose)
    for bar in (8, 16, 32, 36, 40):
        tape.lay(crash, grid.frame(bar), 0.22)
    _fills(tape, grid, snare, toms)
    return effect.drive(tape.sound, 0.7)


def _fills(tape: Tape, grid: Grid, snare: Signal, toms: list[Signal]) -> None:
    """Lay what happens at the ends of phrases."""
    for bar in (7, 19, 35):
        for place, k in ((8, 0), (11, 1), (12, 2), (14, 3)):
            tape.lay(toms[k], grid.frame(bar, place), 0.24, 0.33 * k - 0.5)
    for bar in (15, 39):
        for k, step in enumerate((8.0, 10.0, 12.0, 12.67, 13.33, 14.0, 15.0)):
            tape.lay(snare, grid.frame(bar, step), 0.15 + 0.03 * k, -0.15)
    for k, step in enumerate((6.0, 8.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0)):
        tape.lay(snare, grid.frame(23, step), 0.14 + 0.03 * k, -0.1)
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
    even = ((3, 0, 2.6, 0.5), (7, 0, 1.0, 0.3), (10, 0, 2.6, 0.7), (14, 7, 1.6, 0.4))
    odd = (
        (3, 0, 2.6, 0.5), (6, 12, 1.0, 0.8), (10, 0, 1.6, 0.7), (13, 7, 0.9, 0.5),
        (14, 12, 1.6, 0.8),
    )  # fmt: skip
    for bar in [*range(16, 24), *range(32, 40)]:
        root = _chord(bar)[0]
        for step, interval, steps, bright in odd if bar % 2 else even:
            lift = 1.6 if bar >= 32 else 1.0
            note(bar, step, root + interval, steps, bright * lift, 0.38)
    for bar in [*range(8, 16), *range(40, 44)]:
        for step, steps in ((3, 2.6), (10, 3.5)):
            note(bar, step, _chord(bar)[0], steps, 0.1, 0.32)
    for bar in (28, 30):
        note(bar, 0, _chord(bar)[0], 26.0, 0.1, 0.24)
    tape.sound *= effect.duck(grid.frames, kicks(grid), rate, 0.75, 0.22)[:, None]
    return tape.sound


def other(grid: Grid) -> Signal:
    """Return dub chords, organ, pads, bells and noises: float32[frames, 2]."""
    rate, tape = grid.rate, Tape(grid.frames)
    voicings = [chord[1] for chord in CHORDS for _ in (0, 1)]
    stabs = ensemble.Stabs(voicings, 0.50, rate, 600.0, 3600.0)
    stabs.play(tape, grid, range(4, 8), "...7............", (0.0, 0.1), 0.20, send=1.0)
    stabs.play(tape, grid, range(8, 16), "...8......6.....", (0.1, 0.6), 0.24, send=0.7)
    stabs.play(tape, grid, range(16, 24), "...8......7.....", (0.6, 0.8), 0.26, send=0.5)
    stabs.play(tape, grid, range(24, 32), "...7............", (0.0, 0.9), 0.20, send=1.0)
    stabs.play(tape, grid, range(32, 40), "...8..6...7.....", (0.8, 0.6), 0.26, send=0.45)
    stabs.play(tape, grid, range(40, 44), "...7......5.....", (0.3, 0.0), 0.18, send=0.9)

    organs = {notes: voice.organ(notes, 0.34, rate) for notes in sorted(set(voicings))}
    for bars, first, last in ((range(16, 24), 0.16, 0.22), (range(32, 40), 0.22, 0.22)):
        for bar, level in zip(bars, ramp(first, last, len(bars)), strict=True):
            shot = organs[voicings[bar % 8]]
            play(tape, grid, [bar], "......7.......6.", [shot], level, send=0.35)

    loud = [*ramp(0.03, 0.13, 8), *ramp(0.10, 0.11, 8), *ramp(0.16, 0.22, 8), *ramp(0.11, 0.11, 8),
            *ramp(0.12, 0.02, 4)]  # fmt: skip
    ensemble.pads(tape, grid, voicings, range(8, 44), 2, loud)

    plucks: dict[tuple[int, bool], Signal] = {}
    for bar in range(26, 40):
        calm = bar < 32
        for step, note in zip((0, 5, 8, 11, 14), _chord(bar)[2], strict=True):
            if (note, calm) not in plucks:
                plucks[note, calm] = voice.pluck(note, 0.36, rate, 900.0 if calm else 2400.0)
            pan = 0.4 if step % 2 else -0.4
            tape.lay(plucks[note, calm], grid.frame(bar, step), 0.11, pan, 0.8 if calm else 0.5)
    ensemble.announce(tape, grid, ((7, 1, 0.08), (12, 4, 0.16), (28, 4, 0.20)))

    space = effect.room(rate, 8, 2.4)
    return ensemble.blend(
        tape, grid, kicks(grid), 0.55, 0.24, space, 0.42, 0.75 * grid.beat_s, 0.65
    )


# beat, length in beats, note, phones; the chords change every eight beats
CALL = (
    Syllable(0.0, 0.9, 65, "kou"), Syllable(1.0, 0.6, 63, "pa"), Syllable(1.75, 2.2, 60, "wein"),
    Syllable(5.0, 0.6, 60, "doun"), Syllable(5.75, 1.8, 65, "mi"),
    Syllable(8.0, 0.9, 65, "kou"), Syllable(9.0, 0.6, 67, "pa"), Syllable(9.75, 2.2, 68, "wein"),
    Syllable(16.0, 0.9, 72, "kou"), Syllable(17.0, 0.6, 70, "pa"), Syllable(17.75, 2.2, 65, "wein"),
    Syllable(21.0, 0.6, 65, "hould"), Syllable(21.75, 1.8, 60, "mi"),
    Syllable(24.0, 0.9, 72, "wos"), Syllable(25.0, 0.6, 67, "it"), Syllable(25.75, 1.2, 68, "ou"),
    Syllable(27.0, 2.4, 65, "wei"),
)  # fmt: skip
RESPONSE = (
    Syllable(4.5, 0.4, 72, "ou"), Syllable(7.25, 0.6, 77, "a"),
    Syllable(12.5, 0.4, 72, "ou"), Syllable(13.25, 0.4, 75, "a"), Syllable(14.0, 0.8, 77, "ou"),
    Syllable(20.5, 0.4, 72, "ou"), Syllable(23.25, 0.6, 77, "a"),
    Syllable(29.75, 0.4, 72, "hei"), Syllable(30.5, 0.4, 75, "a"), Syllable(31.0, 0.7, 77, "yA"),
)  # fmt: skip
LONG = (
    Syllable(0.0, 3.5, 65, "ua"), Syllable(4.0, 3.5, 72, "ao"), Syllable(8.0, 3.5, 65, "ua"),
    Syllable(12.0, 3.5, 68, "ao"), Syllable(16.0, 3.5, 65, "oa"), Syllable(20.0, 3.5, 60, "ao"),
    Syllable(24.0, 3.4, 72, "ua"), Syllable(28.0, 0.8, 65, "kou"), Syllable(29.0, 0.6, 63, "pa"),
    Syllable(29.75, 1.8, 60, "wein"),
)  # fmt: skip


def vocals(grid: Grid) -> Signal:
    """Return the singer, her doubles and her rooms: float32[frames, 2]."""
    rate, tape = grid.rate, Tape(grid.frames)
    choir = ensemble.Choir(tape, grid)
    choir.small(8, RESPONSE[:5], 700, 0.18, 0.6)
    choir.small(8, RESPONSE[7:], 710, 0.20, 0.6)
    choir.lead(16, CALL, 720, 0.34, 0.25)
    choir.small(16, RESPONSE, 730, 0.20, 0.4)
    choir.lead(24, LONG, 740, 0.26, 0.75)
    choir.lead(32, CALL, 720, 0.34, 0.25)
    third = {60: 63, 63: 67, 65: 68, 67: 70, 68: 72, 70: 73, 72: 75}  # a third above, in F minor
    choir.behind(32, [replace(s, note=third[int(s.note)]) for s in CALL], 760, 0.12, 0.35)
    choir.small(32, RESPONSE, 730, 0.20, 0.4)
    choir.small(40, RESPONSE[:2], 780, 0.18, 0.9)
    space = effect.room(rate, 9, 2.4)
    return ensemble.blend(tape, grid, kicks(grid), 0.30, 0.17, space, 0.45, 0.75 * grid.beat_s, 0.5)


PIECE = Piece(
    title="Copper Rain",
    key="F minor",
    bpm=118.0,
    swing=0.54,
    lead_in_s=0.125,
    bars=BARS,
    form=(("intro", 0), ("build", 8), ("drop", 16), ("break", 24), ("groove", 32), ("outro", 40)),
    parts={"vocals": vocals, "drums": drums, "bass": bass, "other": other},
    levels={"vocals": 0.58, "drums": 0.86, "bass": 1.05, "other": 1.00},
)
