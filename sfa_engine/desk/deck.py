"""A deck, and everything that is done to one track."""

from __future__ import annotations

from sfa_engine.desk.control import (
    Button,
    Choice,
    Color,
    Each,
    Fader,
    Meter,
    Name,
    Section,
    Switch,
    Text,
)
from sfa_engine.desk.scale import (
    OFF,
    Scale,
    beats,
    bpm,
    centred_decibels,
    count,
    decibels,
    fine_milliseconds,
    optional_bpm,
    optional_seconds,
    percent,
    ratio,
    seconds,
    semitones,
)
from sfa_engine.system.deck_count import deck_count

STEMS = ("vocals", "drums", "bass", "other", "guitar", "piano", "mix")
BANDS = ("low", "mid", "high")
KEYLOCK_MODES = ("time", "finer")
DECKS = deck_count()
DECK_NUMBERS = range(1, DECKS + 1)
DECK_NAMES = tuple(f"deck{number}" for number in DECK_NUMBERS)
BANKS = 4
HOT_CUES_IN_BANK = 8  # as many as a controller has pads
HOT_CUES = BANKS * HOT_CUES_IN_BANK  # of a deck; bank b has those from 8 (b - 1) + 1 to 8 b
CUE_KINDS = ("cue", "loop", "fade_in")  # of a hot cue, in the order of the kernel's numbers
RATE_RANGES_PCT = (6, 8, 10, 16, 25, 50, 100)

MAX_LENGTH_S = 86_400.0  # no track is longer than a day
PRE_ROLL_S = 60.0  # a deck may stand this far before the first frame, to run in
PLACE = seconds(-PRE_ROLL_S, MAX_LENGTH_S)
STORED = optional_seconds(-PRE_ROLL_S, MAX_LENGTH_S)
LOOP_BEATS = beats(1 / 32, 64, 4)
LEVEL = decibels(OFF, +12, rest=OFF)
VU = Scale("VU", -40, +23, -40, taper="decibel", law="gain", digits=1)  # of a needle
MOVING = ("position", "needle")  # values of a deck that move without a command


class Stem(Section):
    """One separated part of a track. A track without stems plays through ``mix``."""

    group = "stems"

    volume = Fader("How loud the stem is in the deck's mix.", decibels(OFF, +6))
    mute = Switch("Silences the stem; its volume stays where it is.", glide=0.002)
    solo = Switch("Plays only this stem, and others that are soloed too.", glide=0.002)
    pan = Fader("Where the stem stands, from left to right.", percent(-100, +100))
    filter = Fader("Low-pass to the left, high-pass to the right.", percent(-100, +100))
    fx1 = Switch("Puts the stem through effect unit 1.", glide=0.005)
    fx2 = Switch("Puts the stem through effect unit 2.", glide=0.005)
    loop = Switch("Loops this stem alone, from here, while the others go on.", verb="stem_loop")
    loop_length = Fader("Length of the stem's loop.", LOOP_BEATS, glide=0, label="LOOP LEN")
    roll = Button("Loops this stem for as long as it is held.", verb="stem_roll", held=True)
    source = Choice(
        "Whose stem is heard here, in time with this deck: its own, another deck's, or none.",
        options=("own", *DECK_NAMES, "none"),
        verb="stem_source",
    )
    swap = Button("Exchanges the stem with the other deck's, or back.", verb="stem_swap")
    swap_hold = Button(
        "Exchanges the stem with the other deck's while it is held.",
        verb="stem_swap_hold",
        held=True,
        label="SWAP HLD",
    )
    hand_over = Button(
        "Moves the stem to the other deck, or takes it back.",
        verb="stem_hand_over",
        label="HAND OVR",
    )
    lend = Button("Moves the stem to the other deck while it is held.", verb="stem_lend", held=True)
    level = Meter("Peak after the volume, since the last report.", LEVEL)
    rms = Meter("Mean level after the volume, over a third of a second.", LEVEL)


class Band(Section):
    """One band of the isolator."""

    group = "eq"

    gain = Fader("How loud the band is; all the way down is silence.", centred_decibels(OFF, +12))
    kill = Switch("Silences the band; its gain stays where it is.", glide=0.005)


class HotCue(Section):
    """A place in the track to jump to, to loop from, or to fade in from."""

    group = "hotcue"

    position = Fader("Where the cue is, if it is set.", STORED, glide=0)
    end = Fader("Where the cue's loop or fade ends, if it has one.", STORED, glide=0)
    kind = Choice(
        "What a press does: jumps there, jumps into a loop, or jumps and fades in.",
        options=CUE_KINDS,
        verb="hotcue_kind",
    )
    on_load = Switch("Puts the deck on the cue when its track is loaded; a loop is active then.")
    press = Button(
        "Jumps to the cue, or stores it here if it is not set; slip returns on release.",
        verb="hotcue_press",
        held=True,
    )
    store = Button(
        "Stores the cue where the deck is, quantised if quantise is on; a deck's active loop too.",
        verb="hotcue_store",
    )
    clear = Button("Forgets the cue.", verb="hotcue_clear")
    color = Color("Colour of the cue, as #rrggbb; empty: none.")
    label = Name("What the cue is called.")


class Memory(Section):
    """Memory cues: any number of places in the track, without pads."""

    group = "hotcue"
    owner = "stage"

    store = Button("Stores a memory cue where the deck is, quantised if quantise is on.")
    previous = Button("Jumps to the memory cue before.", label="PREVIOUS")
    next = Button("Jumps to the next memory cue.")
    delete = Button("Deletes the memory cue at the deck's position, or the last one before it.")
    label = Text("Name of the memory cue that the deck was last on.")


class GridEdit(Section):
    """Corrections of the beat grid of a track that may be playing; they are saved at once."""

    group = "tempo"
    owner = "stage"

    tap = Button("Sets the grid's tempo and beats by tapping along, from the fourth tap on.")
    nudge = Button(
        "Moves the grid by so many milliseconds, later or earlier.", fine_milliseconds(-500, 500, 5)
    )
    shift = Button("Moves the grid by so many beats, later or earlier.", beats(-4, 4, 1, log=False))
    downbeat = Button("Makes the beat nearest to the deck's position the first of a bar.")
    tempo_here = Button(
        "Sets the tempo from the nearest beat on; below 20 BPM it only ends the part before.",
        bpm(0, 400, 0),
        label="TEMPO IN",
    )
    halve = Button("Halves the tempo of the grid.")
    double = Button("Doubles the tempo of the grid.")
    undo = Button("Takes the last correction of the grid back.")


class Loop(Section):
    """A stretch of the track that repeats."""

    group = "loop"

    active = Switch("Whether the deck goes back at the loop's end.", verb="loop_active")
    start = Fader("First moment of the loop, if it is set.", STORED, glide=0)
    end = Fader("The moment that is the start again, if it is set.", STORED, glide=0)
    length = Fader("Length of the loops that `beatloop` makes.", LOOP_BEATS, glide=0)
    set_in = Button("Puts the loop's start where the deck is.", verb="loop_set_in")
    set_out = Button("Puts the loop's end where the deck is, and loops.", verb="loop_set_out")
    beatloop = Button("Loops `length` beats from here, or leaves the loop.", verb="loop_beatloop")
    reloop = Button("Goes back into the last loop, or leaves it.", verb="loop_reloop")
    halve = Button("Halves the loop.", verb="loop_halve")
    double = Button("Doubles the loop.", verb="loop_double")
    move = Button(
        "Moves the loop by so many beats.",
        beats(-64, 64, 1, log=False),
        verb="loop_move",
    )
    in_adjust = Button(
        "Moves the loop's start by so many beats.",
        beats(-64, 64, 1 / 32, log=False),
        verb="loop_in_adjust",
        label="IN ADJ",
    )
    out_adjust = Button(
        "Moves the loop's end by so many beats.",
        beats(-64, 64, 1 / 32, log=False),
        verb="loop_out_adjust",
        label="OUT ADJ",
    )
    on_load = Switch(
        "Whether the loop that a track was saved with is on when the track is loaded.",
        label="ON LOAD",
    )
    roll = Button(
        "Loops `length` beats while it is held; the track goes on underneath.",
        verb="loop_roll",
        held=True,
    )


class Transport(Section):
    """What runs a track and places it."""

    group = "transport"

    play = Switch("Runs the track.", verb="play")
    cue = Button(
        "As on a CD player: stores the cue point when paused, returns to it when playing.",
        verb="cue",
        held=True,
    )
    cue_mode = Choice(
        "Whose cue button it is: of a Pioneer CDJ, of Mixxx, or of Numark and Denon players.",
        options=("cdj", "mixxx", "numark"),
    )
    cue_point = Fader("Where the cue button returns to.", PLACE, glide=0, label="CUE PT")
    position = Fader(
        "Where the deck is in the track; set it to go there.",
        PLACE,
        glide=0,
        verb="seek",
    )
    needle = Fader(
        "Where the deck is, as a share of the track; set it to go there, as on a touch strip.",
        percent(0, 100),
        glide=0,
        verb="needle",
    )
    reverse = Switch("Runs the track backwards.")


class Tempo(Section):
    """How fast a track runs, and which deck it follows."""

    group = "tempo"

    rate = Fader(
        "Speed of the track, as a factor; while the deck follows another, sync sets it.",
        ratio(0.25, 4.0),
        glide=0.01,
    )
    rate_range = Choice(
        "How far the tempo fader goes, up and down.",
        options=tuple(f"{percents}%" for percents in RATE_RANGES_PCT),
        rest="8%",
        label="RANGE",
    )
    tempo_fader = Fader(
        "Speed as a place on the tempo fader, within its range.",
        percent(-100, +100),
        glide=0,
        label="TEMPO %",
        owner="stage",
    )
    bpm = Fader(
        "Average tempo of the track at its present rate; sets the rate that gives it.",
        optional_bpm(1, 2000),
        glide=0,
        owner="stage",
    )
    bend = Fader(
        "A push or a drag on the speed, for as long as it lasts.",
        percent(-50, +50),
        momentary=True,
    )
    keylock = Switch(
        "Keeps the pitch when the speed changes, from half to twice the original one.", glide=0.02
    )
    keylock_mode = Choice(
        "How keylock and pitch stretch: spliced in time, or tonal stems finer, by their spectra.",
        options=KEYLOCK_MODES,
        label="KEYMODE",
    )
    pitch = Fader("Shifts the pitch and leaves the speed.", semitones(-12, +12), glide=0.02)
    key_match = Button(
        "Shifts the pitch so that the key fits that of the other deck.",
        label="KEYMATCH",
        owner="stage",
    )
    sync = Choice(
        "Follows the leader: not at all, its tempo, or its beats.",
        options=("off", "tempo", "beat"),
        verb="sync",
        refusable=False,
    )
    sync_align = Choice(
        "Where a deck that follows beats begins and lands: on a beat, or as far into its bar.",
        options=("beat", "bar"),
        label="ALIGN",
    )
    sync_bar = Button(
        "Jumps to the bar of what the deck follows; with quantise, on its next beat.",
        verb="sync_bar",
        label="TO BAR",
    )
    leader = Switch("Sets the tempo for decks that sync.", verb="leader", refusable=False)


class Motion(Section):
    """Jumps and turns within a track."""

    group = "transport"

    quantise = Switch(
        "Puts cues and loops on the nearest beat; a playing deck stays in time when it jumps."
    )
    jump = Button("Jumps by so many beats.", beats(-256, 256, 4, log=False), verb="jump")
    slip = Switch(
        "Lets the track go on under loops, scratches and the like; the deck returns to it."
    )
    censor = Button(
        "Runs backwards while held, then goes on where it would be.", verb="censor", held=True
    )
    brake = Button("Stops like a platter that loses its motor, in `brake_time`.", verb="brake")
    spinback = Button("Throws the platter back; it stops in `spinback_time`.", verb="spinback")
    brake_time = Fader(
        "How long a brake takes, from full speed.", seconds(0.05, 10, 1), glide=0, label="BRAKE T"
    )
    spinback_time = Fader(
        "How long a spin-back takes.", seconds(0.2, 10, 1.2), glide=0, label="SPIN T"
    )
    start_time = Fader(
        "How long the platter takes to come to speed, at a start and after a scratch.",
        seconds(0, 10),
        glide=0,
        label="START T",
    )
    stop_time = Fader(
        "How long the platter takes to stop when play goes off.",
        seconds(0, 10),
        glide=0,
        label="STOP T",
    )
    scratch = Fader(
        "Speed of the platter under a hand that touches it; 100 % is the track's own.",
        percent(-1600, 1600),
        glide=0,
        momentary=True,
    )
    platter = Fader(
        "Place of the platter, in seconds of the track; while it is touched, the deck follows.",
        seconds(-MAX_LENGTH_S, MAX_LENGTH_S),
        glide=0,
    )
    touch = Switch("Whether a hand is on the platter: it holds the deck.", momentary=True)


class Channel(Section):
    """A deck's strip of the mixer."""

    group = "mixer"

    trim = Fader("Gain before the equaliser, to match tracks.", centred_decibels(OFF, +12))
    eq = Each(BANDS, Band)
    filter = Fader("Low-pass to the left, high-pass to the right.", percent(-100, +100))
    resonance = Fader("How much the filter rings at its edge.", percent(0, 100, 25), label="RESO")
    fx1 = Switch("Puts the deck through effect unit 1.", glide=0.005, group="effects")
    fx2 = Switch("Puts the deck through effect unit 2.", glide=0.005, group="effects")
    fader = Fader("The channel's fader.", decibels(OFF, +6))
    assign = Choice(
        "Side of the crossfader; auto is left for odd decks and right for even ones.",
        options=("auto", "left", "through", "right"),
    )
    pfl = Switch("Puts the deck on the headphones, before its fader.", glide=0.005)
    level = Meter("Peak after the fader, since the last report.", LEVEL)
    rms = Meter("Mean level after the fader, over a third of a second.", LEVEL)
    vu = Meter("What a VU meter shows after the fader; 0 VU is a tone of -18 dBFS.", VU)


class Deck(Transport, Tempo, Motion, Channel):
    """A player: one track, its stems, and what is done to its time."""

    group = "transport"

    stem = Each(STEMS, Stem)
    acapella = Switch(
        "Plays the vocals alone, if the track has them as a stem.",
        glide=0.005,
        verb="acapella",
        refusable=False,
        group="stems",
    )
    instrumental = Switch(
        "Plays everything but the vocals.",
        glide=0.005,
        verb="instrumental",
        refusable=False,
        label="INSTRUM",
        group="stems",
    )
    stem_key = Switch(
        "Shifts stems of other decks, but for drums, to this deck's key, if both keys are known.",
        glide=0.02,
        label="STEM KEY",
        group="stems",
    )
    hotcue = Each(range(1, HOT_CUES + 1), HotCue)
    hotcue_bank = Fader(
        "Bank of eight hot cues that the pads of a surface play.",
        count(1, BANKS, 1),
        glide=0,
        label="BANK",
        group="hotcue",
        owner="stage",
    )
    memory = Memory()
    loop = Loop()
    grid = GridEdit()

    load_selected = Button(
        "Loads the track that is selected in the list.",
        label="LOAD",
        group="browse",
        owner="stage",
    )
    track = Meter(
        "Number of the track in the library; 0 without one, or where it is not there.",
        count(0, 2**53),
        owner="stage",
    )
    title = Text("Title of the track.")
    artist = Text("Artist of the track.")
    album = Text("Album of the track.")
    key = Text("Key of the track, as it was recorded.")
    audible_key = Text(
        "Key as it is heard, with rate and pitch; and by how many cents it is out of tune.",
        label="HEARD",
        group="tempo",
    )
    cue_lamp = Meter(
        "Whether the lamp of the cue button is lit, as `cue_mode` blinks it.", label="CUE LED"
    )
    play_lamp = Meter(
        "Whether the lamp of the play button is lit, as `cue_mode` blinks it.", label="PLAY LED"
    )
    slipping = Meter("Whether the track goes on underneath what is heard.")
    loaded = Meter("Whether there is a track.")
    ready = Meter("How much of the track is in memory.", percent(0, 100))
    duration = Meter("Length of the track.", seconds(0, MAX_LENGTH_S))
    tempo = Meter(
        "Tempo here and now, as it is heard: of this part of the track, bent or not.",
        bpm(0, 2000, 0),
        group="tempo",
    )
    beat = Meter("Beats since the first downbeat.", beats(-1e6, 1e6, 0, log=False), group="tempo")
    phase_error = Meter(
        "How far the deck is from the beat of the deck that leads.",
        beats(-1, 1, 0, log=False),
        label="PHASE",
        group="tempo",
    )
    bar_error = Meter(
        "How many beats later the deck would be on the bar of the deck that leads.",
        beats(-64, 64, 0, log=False),
        label="OFF BAR",
        group="tempo",
    )
    underruns = Meter(
        "Frames that were not in memory when they were due.",
        count(0, 2**53),
        label="UNDERRUN",
        group="engine",
    )
