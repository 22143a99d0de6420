"""User effects: real processes, in step with the kernel, and what happens when they misbehave."""

import os
import re
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.ring import Command
from sfa_engine.host import user_effects
from sfa_engine.host.offline import Offline
from sfa_engine.host.user_effects import UserEffects

RATE = 48_000
BLOCK = 128
TIMEOUT_S = 40.0
HALF = "def process(samples, knobs, beat, tempo):\n    return samples * 0.5\n"
EXAMPLES = Path(__file__).parents[2] / "patches"


def noise(seconds=60.0):
    return np.random.default_rng(3).integers(-6000, 6000, (round(seconds * RATE), 2), np.int16)


class Rig:
    """A deck through a user effect, rendered block by block, and the watcher of its process."""

    def __init__(self, folder):
        self.folder = folder
        self.engine = Offline(RATE, 2, BLOCK)
        self.source = noise()
        self.engine.load(0, {"mix": self.source}, rate=RATE)
        self.engine.set("master.limiter.on", 0.0)
        self.engine.set("fx1.slot1.kind", float(KIND_NAMES.index("user")))
        for path in ("fx1.on", "deck1.fx1"):
            self.engine.set(path, 1.0)
        self.engine.set("fx1.mix", 100.0)
        self.engine.render(4096)
        self.engine.push(Command(Op.PLAY, deck=0, x=1.0))
        self.frame = 0
        self.stop = threading.Event()
        self.effects = UserEffects(self.engine.dsp, self.stop)
        self.thread = threading.Thread(target=self.effects.run)
        self.thread.start()

    def end(self):
        self.stop.set()
        self.thread.join()
        self.effects.end()

    def patch(self, source, name="mine"):
        path = self.folder / f"{name}.py"
        path.write_text(textwrap.dedent(source))
        self.effects.choose(1, 1, name, str(path))
        return path

    @property
    def slot(self):
        return self.effects._slots[1, 1]

    @property
    def state(self):
        (found,) = self.effects.describe()
        return found

    def block(self):
        """Render a block at about the pace of a device; return it and what it is dry."""
        heard = self.engine.render(BLOCK)
        self.frame += BLOCK
        time.sleep(0.0025)
        track = self.source[max(0, self.frame - BLOCK - LATENCY) : self.frame - LATENCY]
        return heard, track.astype(np.float32) / 32768

    def in_step(self):
        """Render a block, and wait until the process has returned it."""
        made = self.block()
        current = self.slot.current
        give_up = time.monotonic() + TIMEOUT_S
        while current and current.ring is not None:
            if current.ring["returned"] >= current.ring["sent"]:
                break
            assert time.monotonic() < give_up
            time.sleep(0.0005)
        return made

    def until(self, condition):
        give_up = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < give_up, self.state
            self.block()
            if self.frame > len(self.source) - RATE:
                self.frame = 0
                self.engine.push(Command(Op.SEEK, deck=0, x=0.0))


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.end()


def wet_blocks(rig, factor, blocks=60):
    """Return how many of some blocks are the dry sound of a block before, times a factor."""
    before, found = None, 0
    for _ in range(blocks):
        heard, dry = rig.in_step()
        if before is not None and len(before) == len(heard):
            found += np.abs(heard - before * factor).max() < 1e-5
        before = dry
    return found


@pytest.mark.slow
def test_what_a_patch_makes_is_heard_a_block_later(rig):
    rig.patch(HALF)
    rig.until(lambda: rig.state["running"])
    wet_blocks(rig, 0.5, 8)
    assert wet_blocks(rig, 0.5) == 59
    assert rig.state["error"] == ""


@pytest.mark.slow
def test_without_a_patch_and_after_its_end_the_sound_is_dry(rig):
    for _ in range(8):
        heard, dry = rig.block()
    assert np.abs(heard - dry).max() < 1e-6
    rig.patch(HALF)
    rig.until(lambda: rig.state["running"])
    wet_blocks(rig, 0.5, 4)
    os.kill(rig.slot.current.popen.pid, 9)
    rig.until(lambda: not rig.state["running"])
    assert "killed" in rig.state["error"]
    for _ in range(8):
        heard, dry = rig.block()
        assert np.isfinite(heard).all()
    assert np.abs(heard - dry).max() < 1e-6


@pytest.mark.slow
def test_a_file_that_changes_takes_over_and_a_mistake_leaves_the_one_before(rig):
    path = rig.patch(HALF)
    rig.until(lambda: rig.state["running"])
    first = rig.slot.current
    path.write_text(HALF.replace("0.5", "0.25"))
    rig.until(lambda: rig.slot.current not in {None, first})
    wet_blocks(rig, 0.25, 8)
    assert wet_blocks(rig, 0.25) == 59
    second = rig.slot.current
    path.write_text("def process(:\n")
    rig.until(lambda: rig.state["error"])
    assert "SyntaxError" in rig.state["error"]
    assert "line 1" in rig.state["error"]
    assert rig.slot.current is second
    assert first.popen.poll() is not None


BAD = {
    "raise": ("def process(samples, *_):\n    return samples / [1, 2, 3]\n", "line 2: ValueError"),
    "raise later": (
        """
        count = 0
        def process(samples, *_):
            global count
            count += 1
            if count > 50:
                raise RuntimeError("enough")
            return samples
        """,
        "RuntimeError: enough",
    ),
    "hang": (
        """
        import time
        count = 0
        def process(samples, *_):
            global count
            count += 1
            if count > 20:
                time.sleep(1000)
            return samples
        """,
        "has not answered",
    ),
    "compute without end": (
        """
        count = 0
        def process(samples, *_):
            global count
            count += 1
            while count > 20:
                pass
            return samples
        """,
        "without end|has not answered|of a core",
    ),
    "leak": (
        """
        kept = []
        def process(samples, *_):
            kept.append(bytearray(16 << 20))
            return samples
        """,
        "more than 768 MB|it was killed",
    ),
    "print": (
        """
        import threading
        def talk():
            while True:
                print("x" * 100, flush=True)
        threading.Thread(target=talk, daemon=True).start()
        def process(samples, *_):
            return samples
        """,
        "printed|late|core",
    ),
    "fork": (
        "import os\ndef process(samples, *_):\n    os.fork()\n    return samples\n",
        "no other process",
    ),
    "start a program": (
        "import subprocess\nsubprocess.run(['sleep', '100'])\n",
        "no other process",
    ),
    "fork past Python": (
        """
        import ctypes
        count = 0
        def process(samples, *_):
            global count
            count += 1
            if count == 20 and ctypes.CDLL(None).fork() <= 0:
                raise RuntimeError("no fork")
            return samples
        """,
        "no fork|other processes",
    ),
    "fork bomb": (
        """
        import ctypes
        count = 0
        def process(samples, *_):
            global count
            count += 1
            while count > 20:
                if ctypes.CDLL(None).fork() < 0:
                    raise RuntimeError("no fork")
            return samples
        """,
        "no fork|other processes",
    ),
    "run a program past Python": (
        """
        import ctypes
        libc = ctypes.CDLL(None)
        def process(samples, *_):
            libc.execl(b"/bin/sleep", b"sleep", b"100", None)
            raise RuntimeError("no program")
        """,
        "no program",
    ),
    "no function": ("x = 1\n", "neither a function"),
    "not Python": ("\x7fELF\x02 nonsense\n", "SyntaxError|ValueError"),
    "another shape": ("def process(samples, *_):\n    return samples[:5]\n", "shape"),
    "no numbers": (
        "import numpy as np\ndef process(samples, *_):\n    return samples * np.nan\n",
        "no finite samples for 1 s",
    ),
    "long words": (
        "def process(samples, *_):\n    raise ValueError('one\\n' + 'two ' * 1000)\n",
        "^line 2: ValueError: one two [two ]{100,180}$",
    ),
    "exit": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "no module": ("import no_such_module\n", "no module no_such_module"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BAD)
def test_what_misbehaves_is_ended_with_the_reason_and_the_sound_goes_on_dry(rig, what):
    source, reason = BAD[what]
    rig.patch(source)
    rig.until(lambda: rig.state["error"])
    assert re.search(reason, rig.state["error"]), rig.state["error"]
    for _ in range(8):
        heard, dry = rig.block()
        assert np.isfinite(heard).all()
    assert np.abs(heard - dry).max() < 1e-6
    assert rig.slot.current is None
    assert rig.slot.coming is None
    assert all(old.popen.poll() is not None for old in rig.slot._old)


@pytest.mark.slow
def test_what_ran_and_died_is_restarted_and_the_reason_told(rig, monkeypatch):
    monkeypatch.setattr(user_effects, "RESTART_DELAY_S", 0.05)
    rig.patch(HALF)
    rig.until(lambda: rig.state["running"])
    first = rig.slot.current
    os.kill(first.popen.pid, 9)
    rig.until(lambda: rig.slot.current not in {None, first})
    assert rig.state["restarts"] == 1
    assert rig.state["error"].startswith("it was restarted: it was killed")
    wet_blocks(rig, 0.5, 8)
    assert wet_blocks(rig, 0.5) == 59
    monkeypatch.setattr(user_effects, "LATELY_S", 0.0)
    rig.until(lambda: rig.state["error"] == "")
    assert rig.state["restarts"] == 0


@pytest.mark.slow
def test_what_dies_again_and_again_stays_ended_until_it_is_saved(rig, monkeypatch):
    monkeypatch.setattr(user_effects, "RESTART_DELAY_S", 0.01)
    path = rig.patch(BAD["raise later"][0])
    rig.until(lambda: "it was restarted 3 times" in rig.state["error"])
    assert "RuntimeError: enough" in rig.state["error"]
    assert not rig.state["running"]
    assert rig.slot.coming is None
    path.write_text(HALF)
    rig.until(lambda: rig.state["running"])
    assert rig.state["error"] == ""


@pytest.mark.slow
def test_it_writes_no_files(rig, tmp_path):
    rig.patch(f"open({str(tmp_path / 'made')!r}, 'w').write('x' * 100_000)\n" + HALF)
    rig.until(lambda: rig.state["error"])
    assert "OSError" in rig.state["error"]
    made = tmp_path / "made"
    assert not made.exists() or made.stat().st_size == 0


def test_a_patch_that_is_not_there_is_told(rig, tmp_path):
    rig.effects.choose(1, 1, "gone", str(tmp_path / "gone.py"))
    rig.until(lambda: rig.state["error"])
    assert "gone.py: No such file" in rig.state["error"]
    rig.effects.choose(1, 1, "", "")
    assert rig.effects.describe() == []


@pytest.mark.slow
def test_what_is_no_number_is_silence(rig):
    rig.patch("import numpy as np\ndef process(samples, *_):\n    return samples * np.nan\n")
    rig.until(lambda: rig.state["running"])
    for _ in range(50):
        heard, _ = rig.in_step()
        assert np.isfinite(heard).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ring", "shimmer", "telephone", "vowel"])
def test_the_examples_play(rig, name):
    if name != "ring":
        pytest.importorskip("pyo")
    path = EXAMPLES / f"{name}.py"
    rig.effects.choose(1, 1, name, str(path))
    rig.until(lambda: rig.state["running"] or rig.state["error"])
    assert rig.state["error"] == ""
    heard = [rig.in_step()[0] for _ in range(200)]
    assert rig.state["error"] == ""
    late = np.concatenate(heard[50:])
    assert np.isfinite(late).all()
    assert 0.001 < np.abs(late).max() < 4.0
