"""The kernel's machine code: named by what goes into it, whole or refused, right on aarch64."""

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest
from numba import types

from sfa_engine.errors import EngineError
from sfa_engine.host import build
from sfa_engine.host.kernel import intrinsics


@pytest.fixture(scope="module")
def code():
    return build.ensure()


def test_the_folder_is_named_by_cpu_and_digest(code):
    assert code.name.endswith(build.digest())
    assert build.is_built()


def test_code_that_is_there_is_not_built_again(code):
    told = []
    assert build.ensure(lambda *now: told.append(now)) == code
    assert told == []


def test_another_source_has_another_digest(monkeypatch, tmp_path):
    before = build.digest()
    copy = tmp_path / "kernel"
    shutil.copytree(build._SOURCES, copy)
    monkeypatch.setattr(build, "_SOURCES", copy)
    assert build.digest() == before
    with (copy / "grid.py").open("a") as source:
        source.write("# another thought\n")
    assert build.digest() != before


@pytest.mark.slow
@pytest.mark.usefixtures("code")
def test_loading_the_code_imports_no_numba():
    program = """
import sys
from sfa_engine.host import build
build.load(build.folder())
print('numba' in sys.modules)
"""
    run = [sys.executable, "-c", program]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


@pytest.mark.parametrize("broken", ["manifest.json", "stream.o", "timer.o"])
def test_a_folder_that_is_not_whole_is_refused(code, tmp_path, broken):
    copy = tmp_path / "code"
    shutil.copytree(code, copy)
    (copy / broken).unlink()
    with pytest.raises(EngineError, match="cannot be read"):
        build.load(copy)


@pytest.fixture
def copy(code, tmp_path, monkeypatch):
    """A folder of the machine code of the test's own, and a builder that only copies."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        build, "_run_builder", lambda to, _: shutil.copytree(code, to, dirs_exist_ok=True)
    )
    shutil.copytree(code, build.folder())
    assert build.is_built()
    return build.folder()


@pytest.mark.parametrize(
    "file", ["manifest.json", "stream.o", "idle.o", "timer.o", "midi.o", "limiter.o"]
)
@pytest.mark.parametrize("left", [0, 4096])
def test_code_that_a_power_cut_left_empty_or_cut_is_built_again(copy, code, file, left):
    os.truncate(copy / file, left)
    assert not build.is_built()
    assert build.ensure() == copy
    assert build.is_built()
    assert (copy / file).read_bytes() == (code / file).read_bytes()


def test_a_manifest_of_before_there_were_sums_is_not_believed(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    for entry in manifest.values():
        del entry["sha256"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert not build.is_built()


def test_a_cache_folder_that_cannot_be_made_is_told_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "cache").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(EngineError, match=r"cannot be kept in .*kernels: Not a directory; look at"):
        build.ensure()


def test_a_full_disk_is_no_bug(tmp_path, monkeypatch, capsys):
    def fill(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(build, "build", fill)
        status = build.main(tmp_path)
    said = capsys.readouterr().err
    assert said == "No space left on device\n"
    builder = tmp_path / "builder"
    builder.write_text(f"#!/bin/sh\necho '{said.strip()}' >&2\nexit {status}\n")
    builder.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(builder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(EngineError, match=r"kernels: No space left on device; look at the rights"):
        build.ensure()


def test_a_garbled_manifest_is_refused(code, tmp_path):
    copy = tmp_path / "code"
    shutil.copytree(code, copy)
    (copy / "manifest.json").write_text("{")
    with pytest.raises(EngineError, match="cannot be read"):
        build.load(copy)


def test_every_entry_knows_its_function(code):
    manifest = json.loads((code / "manifest.json").read_text())
    assert sorted(manifest) == sorted(build.ENTRIES)
    kernel = build.load(code)
    assert all(getattr(kernel, name) > 0 for name in build.ENTRIES)


def test_the_progress_line_is_full_when_the_last_function_is_compiled_and_not_before(code):
    compiled = (code / "functions.txt").read_text().splitlines()
    assert len(set(compiled)) == len(compiled) == build.functions()


def test_progress_is_what_the_builder_says_of_it(tmp_path, monkeypatch):
    builder = tmp_path / "builder"
    builder.write_text("#!/bin/sh\necho a warning\necho compiled 3 7\necho compiled 7 7\n")
    builder.chmod(0o700)
    monkeypatch.setattr(build.sys, "executable", str(builder))
    told = []
    build._run_builder(tmp_path, lambda *now: told.append(now))
    assert told == [(3, 7), (7, 7)]


def pass_on(source, target):
    """Hand a word over, as the rings do."""
    intrinsics.store_release(target, intrinsics.load_acquire(source))
    return types.int64(0)


@pytest.fixture(scope="module")
def handing_over():
    return numba.cfunc(types.int64(types.int64, types.int64))(pass_on)


def test_a_word_that_is_handed_over_arrives(handing_over):
    words = np.array([7, 0], np.int64)
    address = words.ctypes.data
    handing_over.ctypes(ctypes.c_int64(address), ctypes.c_int64(address + 8))
    assert words[1] == 7


def test_on_aarch64_a_ring_is_read_with_acquire_and_written_with_release(handing_over):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = "aarch64-unknown-linux-gnu"
    text = handing_over.inspect_llvm().replace(llvm.get_process_triple(), triple)
    lines = [line for line in text.splitlines() if not line.startswith("target datalayout")]
    lines = [line for line in lines if '"target-cpu"' not in line]
    module = llvm.parse_assembly("\n".join(lines))
    module.triple = triple
    target = llvm.Target.from_triple(triple).create_target_machine(cpu="cortex-a72", opt=2)
    assembly = target.emit_assembly(module)
    assert "ldar\t" in assembly
    assert "stlr\t" in assembly
