"""The whole desk, and how to find a control in it by name."""

from __future__ import annotations

from functools import lru_cache

from sfa_engine.desk.control import (
    Button,
    Choice,
    Color,
    Control,
    Each,
    Fader,
    Meter,
    Name,
    Section,
    Switch,
    Text,
)
from sfa_engine.desk.deck import DECK_NAMES, DECK_NUMBERS, LEVEL, MAX_LENGTH_S, STEMS, VU, Deck
from sfa_engine.desk.effects import UNITS, Unit
from sfa_engine.desk.scale import (
    OFF,
    Scale,
    beats,
    bpm,
    count,
    decibels,
    fine_milliseconds,
    milliseconds,
    percent,
    seconds,
    semitones,
    share,
    threshold,
)
from sfa_engine.errors import Planned, Refused, did_you_mean

COUNT = count(0, 2**53)
ROWS = 16  # of a list that a surface shows at once
MAX_LIST = 1_000_000  # entries
PADS_IN_BANK = 16
PADS = 4 * PADS_IN_BANK
PAD_MODES = ("once", "gate", "loop")
PAD_OUTPUTS = ("main", "phones", "both")
# What is kept of the sound that was just played: see `host.capture`.
CAPTURE_SOURCES = (
    "master",
    *DECK_NAMES,
    *(f"{deck}.{stem}" for deck in DECK_NAMES for stem in STEMS),
)


class Limiter(Section):
    """What keeps the master from clipping."""

    group = "mixer"

    on = Switch("Holds the true peak of the master at the ceiling.", count(0, 1, 1))
    ceiling = Fader("Highest true peak that leaves the engine.", threshold(-12, 0, -1), glide=0.05)
    release = Fader("How fast it lets go.", milliseconds(10, 1000, 100), glide=0)
    reduction = Meter("How much it takes away at present.", threshold(-60, 0, 0), label="GAIN RED")


class StemFaders(Section):
    """A crossfader for each stem, between the decks of the left side and those of the right."""

    group = "stems"

    vocals = Fader("Left is the left side's vocals alone, right the right's.", percent(-100, +100))
    drums = Fader("Left is the left side's drums alone, right the right's.", percent(-100, +100))
    bass = Fader("Left is the left side's bass alone, right the right's.", percent(-100, +100))
    other = Fader("Left is the left side's rest alone, right the right's.", percent(-100, +100))
    guitar = Fader("Left is the left side's guitar alone, right the right's.", percent(-100, +100))
    piano = Fader("Left is the left side's piano alone, right the right's.", percent(-100, +100))
    mix = Fader("The same for tracks without stems.", percent(-100, +100))
    curve = Choice(
        "How the sides of the stem faders give way to each other.",
        options=("linear", "power", "cut"),
    )


class Master(Section):
    """What the room hears."""

    group = "mixer"

    volume = Fader("Level of the whole mix, before the limiter.", decibels(OFF, +6))
    balance = Fader("Takes from the right (left of the middle) or the left.", percent(-100, +100))
    mono = Switch("Puts the sum of left and right on both sides.", glide=0.005)
    fx1 = Switch("Puts the master through effect unit 1.", glide=0.005, group="effects")
    fx2 = Switch("Puts the master through effect unit 2.", glide=0.005, group="effects")
    limiter = Limiter()
    level = Meter("Peak of the output, since the last report.", LEVEL)
    rms = Meter("Mean level of the output, over a third of a second.", LEVEL)
    vu = Meter("What a VU meter shows of the output; 0 VU is a tone of -18 dBFS.", VU)
    booth = Fader(
        "Level of the booth, on outputs 5 and 6: the mix before `volume`.", decibels(OFF, +6)
    )
    auto_gain = Switch(
        "Sets `trim` at a load, so that the track is as loud as `loudness`.",
        owner="stage",
        label="AUTOGAIN",
    )
    loudness = Fader(
        "Loudness that tracks are brought to.", Scale("LUFS", -30, -6, -14, digits=1), owner="stage"
    )


class Phones(Section):
    """What the headphones hear, on outputs 3 and 4, or split on 1 and 2."""

    group = "mixer"

    volume = Fader("Level of the headphones.", decibels(OFF, +6, -6))
    mix = Fader("From the cued decks alone to the master alone.", percent(0, 100))
    split = Switch(
        "Cued decks on the left ear, master on the right; without outputs 3 and 4, on 1 and 2.",
        glide=0.005,
    )


class Clock(Section):
    """The session's time."""

    group = "clock"

    source = Choice(
        "Who sets the tempo; the beat goes on without a jump when it changes.",
        options=("internal", *DECK_NAMES, "leader", "midi", "link"),
    )
    tempo = Fader(
        "Tempo of the internal clock.",
        bpm(20, 400, 120),
        glide=0,
        verb="clock_tempo",
        refusable=False,
    )
    beats_per_bar = Fader("Beats in a bar.", count(1, 16, 4), glide=0, label="BAR")
    bars_per_phrase = Fader("Bars in a phrase.", count(1, 64, 8), glide=0, label="PHRASE")
    align = Button(
        "Makes this moment a downbeat; of a deck that is followed, its nearest beat.",
        verb="clock_align",
        refusable=False,
    )
    tap = Button("Sets the tempo by tapping, from the third tap on.", verb="clock_tap")
    midi_in = Switch("Receives MIDI clock, on the ports that have it enabled.")
    midi_out = Switch("Sends MIDI clock, on the ports that have it enabled.")
    link = Switch("Shares tempo and beat by Ableton Link.", owner="stage")
    current = Meter("Tempo at present.", bpm(0, 2000, 120))
    beat = Meter("Beats since the session began.", beats(-1e9, 1e9, 0, log=False))
    locked = Meter("Whether the clock follows what its source names.")
    running = Meter("Whether the source has been started; a deck or the clock itself always is.")
    phase_error = Meter(
        "How far it lags behind what it follows.", beats(-0.5, 0.5, 0, log=False), label="PHASE"
    )
    midi_locked = Meter("Whether MIDI clock is received and steady.", label="MIDI OK")
    midi_tempo = Meter("Tempo of the MIDI clock received.", bpm(0, 2000, 0), label="MIDI BPM")
    midi_jitter = Meter(
        "Median deviation of received ticks from a steady clock.",
        Scale("ms", 0, 1000, 0, digits=3),
        label="JITTER",
    )
    link_peers = Meter("Other programs in the Link session.", COUNT, owner="stage", label="PEERS")
    link_tempo = Meter(
        "Tempo of the Link session.", bpm(0, 2000, 0), owner="stage", label="LINK BPM"
    )


class Pad(Section):
    """One pad of the sampler: a sound, and how it is played."""

    group = "sampler"

    hit = Button(
        "Plays the pad, as hard as the number says; 0 releases it.",
        count(0, 127, 127),
        verb="pad_hit",
        held=True,
    )
    stop = Button("Lets the pad fade out, as long as `release` is.", verb="pad_stop")
    mode = Choice(
        "What a hit does: plays once, plays while it is held, or starts and stops a loop.",
        options=PAD_MODES,
    )
    volume = Fader("How loud the pad is.", decibels(OFF, +6))
    pan = Fader("Where the pad stands, from left to right.", percent(-100, +100))
    pitch = Fader("Shifts the pad's pitch, and its speed with it.", semitones(-24, +24), glide=0.02)
    start = Fader("Where the sound begins, as a share of it.", share(0), glide=0)
    end = Fader("Where the sound ends, as a share of it.", share(100), glide=0)
    attack = Fader("How long the sound takes to rise.", fine_milliseconds(0, 5000, 0), glide=0)
    hold = Fader("How long the sound stays up after it.", fine_milliseconds(0, 5000, 0), glide=0)
    decay = Fader(
        "How long it then takes to fall to `sustain`.", fine_milliseconds(0, 5000, 0), glide=0
    )
    sustain = Fader("Level at which the sound stays, as a share.", percent(0, 100, 100), glide=0)
    release = Fader(
        "How long the sound takes to fall when it is let go.",
        fine_milliseconds(0, 5000, 0),
        glide=0,
    )
    reverse = Switch("Plays the sound backwards.")
    choke = Fader("Pads of one group silence each other; 0 is none.", count(0, 8), glide=0)
    quantise = Choice(
        "When a hit sounds: at once, or on the next beat or bar of `sampler.clock`.",
        options=("off", "beat", "bar"),
    )
    beats = Fader(
        "Beats of the sound: a loop of it follows the tempo of `sampler.clock`; 0: it does not.",
        beats(0, 1024, 0, log=False),
        glide=0,
    )
    capture = Button("Puts the last bars of `sampler.capture_from` on the pad.", owner="stage")
    output = Choice(
        "Where the pad is heard: in the mix, on the headphones alone, or on both.",
        options=PAD_OUTPUTS,
    )
    label = Name("What the pad is called.", owner="stage")
    color = Color("Colour of the pad, as #rrggbb; empty: none.", owner="stage")
    level = Meter("Peak of the pad, since the last report.", LEVEL)
    playing = Meter("Whether the pad sounds.")
    waiting = Meter("Whether the pad was hit and waits for its beat or bar.")
    duration = Meter("Length of the pad's sound; 0 without one.", seconds(0, MAX_LENGTH_S))


class Sampler(Section):
    """What all pads have in common."""

    group = "sampler"

    volume = Fader("How loud all pads are in the mix.", decibels(OFF, +6))
    velocity = Fader("How much the force of a hit counts.", percent(0, 100, 100), glide=0)
    clock = Choice(
        "Whose beats and bars quantised pads wait for, and whose tempo loops follow.",
        options=("session", *DECK_NAMES),
    )
    capture_from = Choice(
        "What the `capture` of a pad takes: the master, a deck or a stem.",
        options=CAPTURE_SOURCES,
        owner="stage",
        label="FROM",
    )
    capture_bars = Fader(
        "How many bars the `capture` of a pad takes.",
        count(1, 64, 4),
        glide=0,
        owner="stage",
        label="BARS",
    )
    keys = Fader(
        "Pad that its bank of 16 plays in semitones, from pad to pad; 0: each plays itself.",
        count(0, PADS),
        glide=0,
    )
    transpose = Fader(
        "Semitones by which the first pad of `keys` is transposed.",
        count(-24, 24, 0, "st"),
        glide=0,
        label="TRANSPOS",
    )
    stop = Button("Lets all pads fade out.", verb="sampler_stop", label="STOP ALL")
    level = Meter("Peak of all pads in the mix, since the last report.", LEVEL)
    voices = Meter("How many sounds of pads are heard.", COUNT)


class Recorder(Section):
    """The recording of the set."""

    group = "recorder"
    owner = "stage"

    on = Switch("Records the master.", color="alert")
    decks = Switch("Records every deck as well; for the next recording.")
    stems = Switch("Records every deck and stem as well; for the next recording.")
    time = Meter("Length of the recording.", seconds(0, MAX_LENGTH_S), label="REC TIME")
    lost = Meter("Frames of the recording that the disk was too slow for.", COUNT)
    bytes = Meter("Size of the recording's files.", COUNT, label="REC SIZE")


class Engine(Section):
    """How the engine is."""

    group = "engine"

    load = Meter("Share of its time that the audio thread used, over a second.", percent(0, 1000))
    worst = Meter("Longest block of late, as a share of its time.", percent(0, 100_000))
    late = Meter("Blocks that took longer than their time.", COUNT)
    device_misses = Meter("Blocks that the device did not get in time.", COUNT, label="DEV MISS")
    ladder = Meter(
        "Steps by which quality is lowered: 1 the stretch, 2 effects too, 3 voices of pads too.",
        count(0, 3),
    )
    reports_lost = Meter("Reports that were not fetched in time.", COUNT, label="REP LOST")
    latency = Meter(
        "From a command to what is heard, as far as the device says.",
        milliseconds(0.001, 10_000, 1),
    )


class Row(Section):
    """One row of the list that is browsed."""

    group = "browse"
    owner = "stage"

    track = Meter("Number of the track in the library; 0 where the row is empty.", COUNT)
    title = Text("Title of the track.")
    artist = Text("Artist of the track.")
    tempo = Text("Tempo of the track, in BPM.")
    key = Text("Key of the track, as on the Camelot wheel.")


class Browse(Section):
    """The list of tracks that surfaces show: the library, by name."""

    group = "browse"
    owner = "stage"

    position = Fader(
        "Entry of the list that the first row shows, from 0.", count(0, MAX_LIST), glide=0
    )
    selected = Fader("Entry of the list that is selected, from 0.", count(0, MAX_LIST), glide=0)
    length = Meter("Entries of the list.", count(0, MAX_LIST))
    row = Each(range(1, ROWS + 1), Row)


class Session(Section):
    """What belongs to the whole set."""

    group = "session"
    owner = "stage"

    lock = Choice(
        "Refuses what could ruin a set; auto does while a deck is audible.",
        options=("off", "auto", "on"),
        rest="auto",
    )
    locked = Meter("Whether it is refused now.")
    focus = Choice("Deck that surfaces of one deck control.", options=DECK_NAMES)
    shift = Switch("Second function of a surface's buttons, while it is held.", momentary=True)


class Preset(Section):
    """Presets of the desk, which are kept by backstage."""

    group = "session"
    owner = "stage"

    recall = Button("Recalls the preset that has this program number.", count(0, 127))
    at = Choice(
        "When a preset that is recalled by its number takes effect.",
        options=("now", "beat", "bar", "phrase"),
    )
    name = Text("Name of the preset that was recalled last.")


class Desk(Section):
    """Everything."""

    group = "mixer"

    deck = Each(DECK_NUMBERS, Deck)
    crossfader = Fader(
        "Left is the left side alone, right the right.",
        percent(-100, +100),
        glide=0.002,
        label="XFADER",
    )
    crossfader_curve = Choice(
        "How the sides give way to each other.",
        options=("linear", "power", "cut"),
        label="XF CURVE",
    )
    crossfader_reverse = Switch("Swaps the sides.", glide=0.005, label="XF REV")
    stem_fader = StemFaders()
    stems_undo = Button(
        "Undoes the last change of where stems come from; again repeats it.",
        verb="stems_undo",
        label="UNDO STM",
        group="stems",
    )
    master = Master()
    phones = Phones()
    clock = Clock()
    engine = Engine()
    fx = Each(UNITS, Unit)
    sampler = Sampler()
    pad = Each(range(1, PADS + 1), Pad)
    recorder = Recorder()
    browse = Browse()
    session = Session()
    preset = Preset()


DESK = Desk()
CONTROLS: dict[str, Control] = {control.path: control for control in DESK.controls()}


# What others call a control: a mixer's channel has a volume, a player a speed.
OTHER_NAMES = {
    "volume": "fader",
    "fader": "volume",
    "gain": "trim",
    "speed": "rate",
    "length": "duration",
    "pause": "play",
    "seek": "position",
    "time": "position",
    "headphones": "pfl",
}


def nearest(path: str) -> str:
    """Return ``did you mean "…"?`` for a name that is none, or an empty string.

    Neighbours under the same parent come first, and what is not built yet is not offered.
    """
    built = [known for known, control in CONTROLS.items() if not control.planned]
    parent, _, leaf = path.rpartition(".")
    beside = [known.rpartition(".")[2] for known in built if known.rpartition(".")[0] == parent]
    prefix = f"{parent}." if parent else ""
    other = OTHER_NAMES.get(leaf)
    if other in beside:
        return f'did you mean "{prefix}{other}"?'
    near = [f"{prefix}{word}" for word in beside if did_you_mean(leaf, [word])]
    return did_you_mean(path, near) or did_you_mean(
        path, [known for known in built if known.rpartition(".")[2] in _alike(leaf)]
    )


@lru_cache(64)  # a profile names a wrong one for each pad and each deck
def _alike(leaf: str) -> set[str]:
    """Return the last names that are like another: others are no help, as for ``deck1.xyz``."""
    leaves = {known.rpartition(".")[2] for known, each in CONTROLS.items() if not each.planned}
    return {each for each in leaves if did_you_mean(leaf, [each])}


def find(path: str) -> Control:
    """Return the control of a name, or refuse the name with the nearest one there is.

    Raises
    ------
    Refused
        There is no such control.
    Planned
        It is declared, but its sound comes with a later release.
    """
    control = CONTROLS.get(path)
    if control is None:
        raise Refused(f'no control "{path:.60}"', nearest(path) or "see `sfa describe` for all")
    if control.planned:
        raise Planned(f"{path} is planned and not built yet", "see `sfa describe --planned`")
    return control
