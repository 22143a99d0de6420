"""The resolver takes no memory: counted by the system, as for the audio callback."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

COUNTER = r"""
#define _GNU_SOURCE
#include <stddef.h>
static __thread int armed;
static long count;
extern void *__libc_malloc(size_t);
extern void __libc_free(void *);
void *malloc(size_t n) { if (armed) count++; return __libc_malloc(n); }
void free(void *p) { if (armed && p) count++; __libc_free(p); }
typedef int (*callback)(unsigned, void *);
long run(callback f, void *user, int cycles) {
    long before = count;
    armed = 1;
    for (int i = 0; i < cycles; i++) f(0, user);
    armed = 0;
    return count - before;
}
"""
PROBE = """
import ctypes, json, sys
from midi_player import MidiPlayer, binding, button, light
from sfa_engine.engine.midi import Action, Kind

library = ctypes.CDLL(sys.argv[1])
library.run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
library.run.restype = ctypes.c_long
rows = [button("deck1.cue", 1, Action.HOLD), binding("crossfader", Kind.CONTROL, 7)]
player = MidiPlayer(*rows, lights=[light("deck1.reverse", b"\\x90\\x01\\x7f", b"\\x90\\x01\\x00")])
callback = player.engine._kernel.midi
mallocs = 0
for message in ([0x90, 1, 64], [0xB0, 7, 64], [0x80, 1, 0], [0xB0, 80, 1]) * 50:
    box = player.state.record["inbox"][0]
    box["slot"], box["length"], box["data"][:3] = 0, 3, message
    player.state.record["inbox_count"] = 1
    mallocs += library.run(callback, player.state.address, 5)
    player.render()


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
def allocating(*_):
    bytes(1000)
    return 0


caught = library.run(ctypes.cast(allocating, ctypes.c_void_p), None, 100)
print(json.dumps({"mallocs": mallocs, "caught": caught, "done": len(player.commands())}))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="a C compiler makes the counter of mallocs")
def test_a_thousand_cycles_take_no_memory(tmp_path):
    source, library = tmp_path / "count.c", tmp_path / "count.so"
    source.write_text(COUNTER)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    tests = str(Path(__file__).parents[2])
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROBE), str(library)],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = json.loads(said.splitlines()[-1])
    assert found["done"] == 150
    assert found["caught"] >= 100, "the counter does not see a callback that allocates"
    assert found["mallocs"] == 0
