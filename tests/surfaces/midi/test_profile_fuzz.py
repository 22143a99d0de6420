"""Profiles that others wrote, or that were damaged: refused with a sentence, never a crash."""

from __future__ import annotations

import random
import sys
import time

import pytest

from sfa_engine.engine.midi import BINDINGS, INPUTS, LIGHTS
from sfa_engine.errors import Refused
from sfa_engine.surfaces.midi.faults import MAX_FAULTS, ProfileError
from sfa_engine.surfaces.midi.picture import page, to_svg
from sfa_engine.surfaces.midi.profile import BUILT_IN, MAX_BYTES, parse_profile, read_profile
from sfa_engine.surfaces.midi.table import compile_profile

HEAD = 'name = "x"\ntitle = "X"\n'
# Short profiles with everything in them, and the shortest of ours.
SEEDS = [
    HEAD
    + """
source = "nowhere"
init = ["F0 7E 7F 06 01 F7", "B0 00 7F"]
palette = { neutral = 3, drums = 9 }
[match]
port = "Some (Pad|Grid).*Public"
identity = "F0 7E ?? 06 02 47"
[layers]
shift = ["off", "on"]
bank = ["A", "B", "C"]
[lights.pad]
send = "F0 47 {i} {r} {g} {b} F7"
on = "desk"
off = "dim"
[[control]]
name = "pad {n}"
note = [36, 37, 38, 39]
channel = 10
light = "pad"
do = "deck{focus}.hotcue{n}.press"
bindings = [
    { when = { bank = ["B", "C"] }, do = "deck{focus}.jump = -4" },
    { when = { shift = "on" }, do = ["deck1.play", "", "deck2.play", "deck1.cue"] },
]
[[control]]
name = "{each}"
cc14 = [1, 2]
lsb = [33, 34]
each = ["low", "mid"]
do = "deck{focus}.eq.{each}.gain"
range = [-12, 6]
invert = true
takeover = "jump"
[[control]]
name = "shift"
note = 1
channel = "any"
state = { shift = "on" }
light = { send = "B0 {number} {level}", on = 2, off = 1 }
[[control]]
name = "jog"
cc = 5
encoding = "offset64"
step = 0.5
do = "deck1.bend"
[[control]]
name = "loop"
nrpn = 300
kind = "press"
encoding = "button"
do = "deck1.loop.length = 4 & deck1.loop.beatloop"
[[control]]
name = "meter"
light = { send = "B0 39 {value}", shows = "master.level" }
""",
    (BUILT_IN / "lpd8.toml").read_text(),
    (BUILT_IN / "generic.toml").read_text(),
]
TOKENS = [
    *("0", "-1", "127", "128", "16383", "9" * 26, "9" * 5000, "1e400", "nan", "inf", "0x7F"),
    *('""', '"\\u0000"', "[]", "{}", "[[]]", "true", "false", "1979-05-27", "[1, 2, 3]"),
    *('"deck{focus}.play"', '"{n+999}"', '"deck1.play = off"', '"any"', '"{each}"', '"{value}"'),
    *('"F0"', '"F0 F7"', "[[control]]", "[match]", "[layers]", "bindings", "state", "when"),
    *("light", "focus", "deck{focus}", "\n", "=", '"', "\x27\x27\x27", "\x00", "\ufeff"),
]


def mutated(rng):
    """Return a profile with some of its characters, words and lines changed."""
    text = rng.choice(SEEDS)
    for _ in range(rng.randint(1, 4)):
        kind = rng.randrange(6)
        at = rng.randrange(len(text) or 1)
        lines = text.split("\n")
        if kind == 0:
            text = (
                text[:at]
                + chr(rng.choice([rng.randrange(128), rng.randrange(0x3000)]))
                + text[at + 1 :]
            )
        elif kind == 1:
            text = text[:at] + rng.choice(TOKENS) + text[at + rng.randint(0, 8) :]
        elif kind == 2:
            del lines[rng.randrange(len(lines))]
            text = "\n".join(lines)
        elif kind == 3:
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
        elif kind == 4:
            place = rng.randrange(len(lines))
            key, equals, _ = lines[place].partition("=")
            if equals:
                lines[place] = f"{key}= {rng.choice(TOKENS)}"
            text = "\n".join(lines)
        else:
            words = text.split(" ")
            one, other = rng.randrange(len(words)), rng.randrange(len(words))
            words[one], words[other] = words[other], words[one]
            text = " ".join(words)
    return text


def profile_of(text):
    """Return the profile of a text; None if it was refused, in words that are short enough."""
    try:
        return parse_profile(text, "x.toml")
    except ProfileError as error:
        faults = error.faults
    assert 0 < len(faults) <= MAX_FAULTS
    assert all(fault.message and len(fault.text("x")) < 1000 for fault in faults)
    return None


def check(text):
    """Parse a text and compile it; return whether it was a profile."""
    profile = profile_of(text)
    if profile is None:
        return False
    made = compile_profile(profile, 0)
    assert len(made.bindings) <= BINDINGS
    assert len(made.lights) <= LIGHTS
    assert len(made.inputs) <= INPUTS
    to_svg(page(profile))
    return True


def fuzz(count, seed):
    rng = random.Random(seed)
    kept = 0
    for _ in range(count):
        text = mutated(rng)
        try:
            kept += check(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, the text is worth knowing
            pytest.fail(f"{type(error).__name__}: {error} of {text!r}")
    return kept


@pytest.mark.slow
def test_a_mutated_profile_is_compiled_or_refused():
    assert 0 < fuzz(300, 1) < 300


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_100_000_mutated_profiles_are_compiled_or_refused(seed):
    fuzz(1000, seed)
    before = sys.getallocatedblocks()  # tracemalloc would take four times as long
    assert 0 < fuzz(9000, seed + 100) < 9000
    assert sys.getallocatedblocks() - before < 40_000  # 4 MB


def rows_of(count, text):
    return HEAD + "".join(text.format(n=n) for n in range(count))


CONTROL = '[[control]]\nname = "c{n}"\nnote = {n}\n'
HUGE = {
    "numbers": f"{HEAD}[[control]]\nname = 'a'\nnote = {'9' * 4400}\n",
    "a hexadecimal number": f"{HEAD}[[control]]\nname = 'a'\nnote = 0x{'F' * 50_000}\n",
    "nested arrays": f"{HEAD}layers = {'[' * 50_000}",
    "nested tables": HEAD + "[" + "a." * 20_000 + "b]\n",
    "deep keys": HEAD + "".join(f"x{n}{'.a' * 590} = 1\n" for n in range(40)),
    "10 MB": HEAD + "#" * (10 << 20),
    "entries": rows_of(5_000, CONTROL.replace("{n}\n", "1\n")),
    "layers": HEAD + "[layers]\n" + "".join(f'l{n} = ["a", "b"]\n' for n in range(8_000)),
    "states": f"{HEAD}[layers]\na = [{', '.join(repr(str(n)) for n in range(50_000))}]\n",
    "one name": rows_of(400, '[[control]]\nname = "same"\nnote = 1\ndo = "deck1.play"\n'),
    "conditions": HEAD
    + "[layers]\n"
    + "".join(f'l{n} = ["a", "b", "c", "d"]\n' for n in range(20))
    + '[[control]]\nname = "a"\nnote = 1\ndo = "deck1.play"\nwhen = { '
    + ", ".join(f'l{n} = ["a", "b", "c", "d"]' for n in range(20))
    + " }\n",
    "bindings": HEAD
    + 'channel = "any"\n'
    + "".join(
        f'[[control]]\nname = "r{n} {{n}}"\nnote = {list(range(128))}\ndo = "deck1.play"\n'
        for n in range(4)
    ),
    "bindings of one message": HEAD
    + "[layers]\n"
    + f"a = {[f's{n}' for n in range(64)]}\nb = {[f's{n}' for n in range(64)]}\n"
    + "".join(
        f'[[control]]\nname = "c{n}"\nnote = 1\ndo = "deck1.play"\nwhen = {{ a = "s{n % 64}" }}\n'
        f'bindings = [{{ when = {{ b = "s{n % 64}" }}, do = "deck2.play" }}]\n'
        for n in range(400)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HUGE)
def test_what_is_huge_is_refused_soon(name):
    began = time.process_time()
    with pytest.raises(Refused) as refused:
        parse_profile(HUGE[name], "x.toml")
    assert time.process_time() - began < 5.0
    assert len(str(refused.value)) < 1000


def test_a_long_file_is_not_read_whole(tmp_path):
    file = tmp_path / "long.toml"
    with file.open("wb") as stream:
        stream.truncate(1 << 34)
    with pytest.raises(ProfileError, match=f"longer than {MAX_BYTES} bytes"):
        read_profile(file)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    for name in ("latin.toml", "nothing.toml", "."):
        with pytest.raises(Refused):
            read_profile(tmp_path / name)


@pytest.mark.slow
def test_lamps_of_many_states_leave_room_for_others():
    text = HEAD + (
        f"[layers]\na = {[f's{n}' for n in range(64)]}\nb = {[f's{n}' for n in range(64)]}\n"
        f'[[control]]\nname = "p {{n}}"\nnote = {list(range(64))}\nlight = true\n'
        'when = { a = "s1", b = "s2" }\ndo = "deck1.play"\n'
    )
    assert check(text)
