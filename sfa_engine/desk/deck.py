"""A deck, and everything that is done to one track."""

from __future__ import annotations

from sfa_engine.desk.control import Button, Choice, Each, Fader, Meter, Section, Switch
from sfa_engine.desk.scale import (
    OFF,
    beats,
    bpm,
    count,
    decibels,
    optional_seconds,
    percent,
    ratio,
    seconds,
    semitones,
)

STEMS = ("vocals", "drums", "bass", "other", "guitar", "piano", "mix")
BANDS = ("low", "mid", "high")

LONGEST_S = 86_400.0  # no track is longer than a day
PRE_ROLL_S = 60.0  # a deck may stand this far before the first frame, to run in
PLACE = seconds(-PRE_ROLL_S, LONGEST_S)
STORED = optional_seconds(-PRE_ROLL_S, LONGEST_S)
LOOP_BEATS = beats(1 / 32, 64, 4)
LEVEL = decibels(OFF, +12, rest=OFF)


class Stem(Section):
    """One separated part of a track. A track without stems plays through ``mix``."""

    volume = Fader("How loud the stem is in the deck's mix.", decibels(OFF, +6))
    mute = Switch("Silences the stem; its volume stays where it is.", glide=0.002)
    solo = Switch("Plays only this stem, and others that are soloed too.", glide=0.002)
    pan = Fader("Where the stem stands, from left to right.", percent(-100, +100))
    filter = Fader("Low-pass to the left, high-pass to the right.", percent(-100, +100))
    send = Fader("How much of the stem goes to the effects.", decibels(OFF, 0, OFF), planned=True)
    loop = Switch("Loops this stem alone, over the deck's loop length.", planned=True)
    level = Meter("Peak after the volume, since the last report.", LEVEL)
    rms = Meter("Mean level after the volume, over a third of a second.", LEVEL)


class Band(Section):
    """One band of the isolator."""

    gain = Fader("How loud the band is; all the way down is silence.", decibels(OFF, +12))
    kill = Switch("Silences the band; its gain stays where it is.", glide=0.005)


class HotCue(Section):
    """A place in the track to jump to."""

    position = Fader("Where the cue is, if it is set.", STORED, glide=0)
    press = Button("Jumps to the cue, or stores it here if it is not set.")
    store = Button("Stores the cue where the deck is, quantised if quantise is on.")
    clear = Button("Forgets the cue.")
    color = Fader("Colour of the cue's light.", count(0, 127), planned=True, glide=0)


class Loop(Section):
    """A stretch of the track that repeats."""

    active = Switch("Whether the deck goes back at the loop's end.")
    start = Fader("First moment of the loop, if it is set.", STORED, glide=0)
    end = Fader("The moment that is the start again, if it is set.", STORED, glide=0)
    length = Fader("Length of the loops that `auto` makes.", LOOP_BEATS, glide=0)
    enter = Button("Puts the loop's start where the deck is.")
    leave = Button("Puts the loop's end where the deck is, and loops.")
    auto = Button("Loops `length` beats from here, or leaves the loop.")
    again = Button("Goes back into the last loop, or leaves it.")
    halve = Button("Halves the loop.")
    double = Button("Doubles the loop.")
    move = Button("Moves the loop by so many beats.", beats(-64, 64, 1, log=False))
    roll = Button("Loops while it is held; the track goes on underneath.", planned=True)


class Deck(Section):
    """A player: one track, its stems, and what is done to its time."""

    play = Switch("Runs the track.")
    cue = Button("As on a CD player: stores the cue point when paused, returns to it when playing.")
    cue_point = Fader("Where the cue button returns to.", PLACE, glide=0)
    position = Fader("Where the deck is in the track; set it to go there.", PLACE, glide=0)
    rate = Fader(
        "Speed of the track, as a factor; while the deck follows another, sync sets it.",
        ratio(0.25, 4.0),
        glide=0.01,
    )
    bend = Fader("A push or a drag on the speed, for as long as it lasts.", percent(-50, +50))
    reverse = Switch("Runs the track backwards.")
    keylock = Switch("Keeps the pitch when the speed changes.", planned=True)
    pitch = Fader("Shifts the pitch and leaves the speed.", semitones(-12, +12), planned=True)
    key_match = Button("Shifts the pitch to fit the other deck.", planned=True)
    sync = Choice(
        "Follows the leader: not at all, its tempo, or its beats.",
        options=("off", "tempo", "beat"),
    )
    leader = Switch("Sets the tempo for decks that sync.")
    quantise = Switch(
        "Puts cues and loops on the nearest beat; a playing deck stays in time when it jumps."
    )
    jump = Button("Jumps by so many beats.", beats(-256, 256, 4, log=False))
    slip = Switch("Lets the track go on underneath loops and scratches.", planned=True)
    censor = Button("Runs backwards while held, then goes on where it would be.", planned=True)
    brake = Button("Stops like a platter that loses its motor.", planned=True)
    spinback = Button("Throws the platter back and stops.", planned=True)
    scratch = Fader("Speed of the platter under a hand.", percent(-1600, 1600), planned=True)
    touch = Switch("Whether a hand is on the platter.", planned=True)
    load_lock = Switch("Refuses to load a track while this one plays.", count(0, 1, 1))

    trim = Fader("Gain before the equaliser, to match tracks.", decibels(OFF, +12))
    eq = Each(BANDS, Band)
    filter = Fader("Low-pass to the left, high-pass to the right.", percent(-100, +100))
    resonance = Fader("How much the filter rings at its edge.", percent(0, 100, 25))
    send = Fader("How much of the deck goes to the effects.", decibels(OFF, 0, OFF), planned=True)
    fader = Fader("The channel's fader.", decibels(OFF, +6))
    assign = Choice(
        "Side of the crossfader; auto is left for odd decks and right for even ones.",
        options=("auto", "left", "through", "right"),
    )
    pfl = Switch("Puts the deck on the headphones, before its fader.", glide=0.005)

    stem = Each(STEMS, Stem)
    hotcue = Each(range(1, 9), HotCue)
    loop = Loop()

    loaded = Meter("Whether there is a track.")
    ready = Meter("How much of the track is in memory.", percent(0, 100))
    duration = Meter("Length of the track.", seconds(0, LONGEST_S))
    tempo = Meter("Tempo of the track at its present speed.", bpm(0, 2000, 0))
    beat = Meter("Beats since the first downbeat.", beats(-1e6, 1e6, 0, log=False))
    phase_error = Meter(
        "How far the deck is from the beat of the deck that leads.", beats(-1, 1, 0, log=False)
    )
    level = Meter("Peak after the fader, since the last report.", LEVEL)
    rms = Meter("Mean level after the fader, over a third of a second.", LEVEL)
    starved = Meter("Frames that were not in memory when they were due.", count(0, 2**53))
