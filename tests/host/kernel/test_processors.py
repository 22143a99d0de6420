"""The sound has the same bytes on every processor, and with every libm and NumPy."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sfa_engine.host import build

SCENES = Path(__file__).with_name("scenes.py")
# LLVM's names. Code for a lesser CPU of the same family runs here too; without FMA: x86-64 and v2.
LEVELS = ["x86-64", "x86-64-v2", "x86-64-v3"] if platform.machine() == "x86_64" else ["generic"]
INEXACT = ("sin", "cos", "tan", "exp", "exp2", "log", "pow", "sinf", "cosf", "expf", "powf", "fma")


def digests(folder, **environment):
    run = [sys.executable, SCENES, folder]
    said = subprocess.run(
        run, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


@pytest.fixture(scope="module")
def here():
    """The sums of what this CPU's own code renders."""
    return digests(build.ensure())


def compiled_for(cpu, folder):
    subprocess.run(
        [sys.executable, "-m", "sfa_engine.host.build", folder, cpu],
        capture_output=True,
        check=True,
    )
    return folder


@pytest.mark.nightly
@pytest.mark.timeout(1200)  # a build takes a minute of CPU
@pytest.mark.parametrize("cpu", LEVELS)
def test_code_for_another_cpu_makes_the_same_bytes(here, cpu, tmp_path):
    assert digests(compiled_for(cpu, tmp_path)) == here


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(
            {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4"}, id="libm-without-FMA"
        ),
        pytest.param({"NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3"}, id="NumPy-of-another-CPU"),
    ],
    ids=["libm-without-FMA", "NumPy-of-another-CPU"],
)
def test_libm_and_numpy_of_another_cpu_make_the_same_bytes(here, environment):
    assert digests(build.ensure(), PYTHONWARNINGS="ignore", **environment) == here


@pytest.mark.parametrize("name", INEXACT)
def test_the_machine_code_calls_no_function_of_libm_that_differs_between_cpus(name):
    code = (build.ensure() / "stream.o").read_bytes()
    assert b"\0log2\0" in code, "the names of what is called cannot be seen"  # of a reading only
    assert f"\0{name}\0".encode() not in code
