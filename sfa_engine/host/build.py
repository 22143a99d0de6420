"""The kernel's machine code: compiled once for this CPU, then loaded by llvmlite alone.

It may be compiled for another CPU too, to see that the sound is the same:
``python -m sfa_engine.host.build FOLDER x86-64-v2``.

Compiling takes Numba and a minute or two; it happens in a process of its own, at install or at
the first start. The folder is named by the CPU and by a digest of all that goes into the code,
so that stale code cannot be loaded; its manifest has the sums, so that damaged code cannot.

::

    $XDG_CACHE_HOME/sfa/kernels/<cpu>-<digest>/
        stream.o  idle.o  timer.o  midi.o  limiter.o  manifest.json
"""

from __future__ import annotations

import ctypes
import ctypes.util
import fcntl
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import platformdirs

from sfa_engine import __version__
from sfa_engine.desk.effects import CYCLES, KIND_NAMES, LENGTHS
from sfa_engine.engine import command, effect_ring, layout, midi
from sfa_engine.errors import EngineError
from sfa_engine.host import elementary, midi_state
from sfa_engine.system.atomic import sync, write_durably

Progress = Callable[[int, int], None]  # done, expected

NOT_WRITTEN = 3  # status of a builder that could not write what it had made
ENTRIES = ("stream", "idle", "timer", "midi", "limiter")
_SOURCES = Path(__file__).parent / "kernel"


@dataclass(frozen=True)
class Cpu:
    """What code is compiled for: LLVM's name of a processor, and the features it has besides."""

    name: str
    features: str = ""

    @classmethod
    def host(cls) -> Cpu:
        """Return the CPU that this runs on."""
        return cls(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


def source_digest() -> str:
    """Return what names the kernel on any CPU: sources, layout and compilers."""
    return _source_hash().hexdigest()[:16]


def digest() -> str:
    """Return what names the machine code: sources, layout, compilers and CPU."""
    h = _source_hash()
    h.update(Cpu.host().features.encode())
    return h.hexdigest()[:16]


def _source_hash() -> hashlib._Hash:
    h = hashlib.sha256()
    for source in sorted(_SOURCES.glob("*.py")):
        h.update(source.name.encode() + b"\0" + source.read_bytes())
    for module in (command, effect_ring, elementary, layout, midi, midi_state):
        assert module.__file__ is not None
        h.update(Path(module.__file__).read_bytes())
    h.update(repr((layout.LAYOUT, KIND_NAMES, LENGTHS, CYCLES)).encode())
    for name in ("numba", "llvmlite"):
        h.update(_version_of(name))
    return h


def _version_of(package: str) -> bytes:
    """Return what names a package's version: `importlib.metadata` takes 80 ms of each start."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("_version.py").read_bytes()


def provenance() -> dict[str, str]:
    """Return what a sound was rendered by: version, kernel and CPU."""
    return {"version": __version__, "kernel": source_digest(), "cpu": Cpu.host().name}


def functions() -> int:
    """Return how many functions the sources mark for compilation; each is compiled."""
    sources = (source.read_text() for source in _SOURCES.glob("*.py"))
    marks = r"^(?:@kernel$|@verb\(|dispatch = kernel\()"
    return sum(len(re.findall(marks, text, re.MULTILINE)) for text in sources)


def folder() -> Path:
    """Return where this machine's code lies, or will."""
    cpu = re.sub(r"\W+", "-", Cpu.host().name)
    return platformdirs.user_cache_path("sfa") / "kernels" / f"{cpu}-{digest()}"


def is_built() -> bool:
    """Return whether the machine code is there, and as it was written."""
    source = folder()
    try:
        manifest = json.loads((source / "manifest.json").read_text())
        return all(
            manifest[name]["sha256"] == _sum((source / f"{name}.o").read_bytes())
            for name in ENTRIES
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sum(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()


def ensure(progress: Progress | None = None) -> Path:
    """Return the folder of the machine code, and build it first if it is not there.

    Two that come at once build it once. What older versions built is removed.

    Raises
    ------
    EngineError
        It could not be built.
    """
    target = folder()
    if not is_built():
        try:
            _build_once(target, progress)
        except OSError as error:
            raise EngineError(
                f"the machine code cannot be kept in {target.parent}: {error.strerror or error}",
                "look at the rights and the space of that folder",
            ) from None
    return target


def _build_once(target: Path, progress: Progress | None) -> None:
    """Build into a folder, unless another that came first has done so."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # A lock of its own: an engine must not wait for another version, or CPU, that is being built.
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_built():
            return
        beside = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        try:
            _run_builder(beside, progress)
            shutil.rmtree(target, ignore_errors=True)
            beside.replace(target)
            sync(target.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        for old in target.parent.iterdir():
            month_s = 30 * 86_400
            if old.is_dir() and old != target and time.time() - old.stat().st_mtime > month_s:
                shutil.rmtree(old, ignore_errors=True)
                (target.parent / f".{old.name}.lock").unlink(missing_ok=True)


def _run_builder(target: Path, progress: Progress | None) -> None:
    """Compile in a process of its own; its lines say how far it is."""
    with subprocess.Popen(
        [sys.executable, "-m", "sfa_engine.host.build", str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as builder:
        assert builder.stdout is not None
        assert builder.stderr is not None
        for line in builder.stdout:
            if progress is not None and line.startswith("compiled "):
                done, expected = line.split()[1:]
                progress(int(done), int(expected))
        trouble = builder.stderr.read()
    if builder.returncode == NOT_WRITTEN:
        raise OSError(0, trouble.strip())
    if builder.returncode != 0:
        last = trouble.strip().splitlines()[-1:] or ["no reason given"]
        raise EngineError(
            f"the kernel could not be compiled: {last[0]}", "this is a bug: report it"
        )


def target_machine(cpu: Cpu) -> llvm.TargetMachine:
    """Return what makes and loads machine code for a CPU."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu.name,
        features=cpu.features,
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def compile_entry(name: str) -> tuple[str, str]:
    """Return the optimised code of an entry as LLVM text, and the name of its function."""
    import numba

    from sfa_engine.host.kernel import entry

    signature, function = entry.ENTRIES[name]
    compiled = numba.cfunc(signature)(function)
    return compiled.inspect_llvm(), compiled.native_name


def compile_for_files() -> None:
    """Have Numba, in this process, leave out what a file of machine code does not need.

    It would optimise each function together with all that it calls, again and again on the way up
    to an entry, where it is all done once more; make each callable from Python; and write out all
    fields of a record to name it. With that a build takes 206 s, without 90 s; the code is as fast.
    """
    from numba.core import codegen, registry, types

    from sfa_engine.host.kernel import intrinsics

    library: Any = codegen.CPUCodeLibrary
    context: Any = registry.cpu_target.target_context
    record: Any = types.Record
    optimise = library._optimize_final_module  # noqa: SLF001

    def optimise_entries(library: Any) -> None:
        if library.name in ENTRIES:
            optimise(library)

    intrinsics.OPTIONS |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    library._optimize_final_module = optimise_entries  # noqa: SLF001
    record.__repr__ = lambda record: record.name
    context.codegen()._engine.finalize_object = lambda: None  # noqa: SLF001
    # Numba tells functions apart by this; it has to be a built-in, and another for each.
    context.get_executable = lambda *_: [].append


def build(target: Path, cpu: Cpu | None = None) -> None:
    """Compile every entry into a folder, for this CPU or for another of its kind."""
    from numba import config
    from numba.core import event

    compile_for_files()

    # Short loops over taps are unrolled before they could be vectorised as loops: the busiest
    # scene takes 147 ns a frame without this, 116 ns with it.
    config.SLP_VECTORIZE = 1  # type: ignore[attr-defined]
    cpu = cpu or Cpu.host()
    config.CPU_NAME = cpu.name  # type: ignore[attr-defined]
    config.CPU_FEATURES = cpu.features  # type: ignore[attr-defined]

    class Count(event.Listener):
        """Counts functions of ours, each once however many types it is compiled for."""

        def __init__(self) -> None:
            self.names: set[str] = set()
            self.entries = 0

        def on_start(self, _: object) -> None:
            pass

        def on_end(self, happened: event.Event) -> None:
            function = getattr(happened.data.get("dispatcher"), "py_func", None)
            name = f"{function.__module__}.{function.__qualname__}" if function else ""
            if name.startswith(f"{__package__}.kernel.") and name not in self.names:
                self.names.add(name)
                self.tell()

        def tell(self) -> None:
            done = len(self.names) + self.entries
            print("compiled", done, expected, flush=True)

    machine = target_machine(cpu)
    expected = functions() + len(ENTRIES)
    manifest = {}
    count = Count()
    with event.install_listener("numba:compile", count):
        for name in ENTRIES:
            text, symbol = compile_entry(name)
            module = llvm.parse_assembly(text)
            code = machine.emit_object(module)
            (target / f"{name}.o").write_bytes(code)
            sync(target / f"{name}.o")
            needs = [f.name for f in module.functions if f.is_declaration]
            manifest[name] = {
                "sha256": _sum(code),
                "symbol": symbol,
                "needs": [n for n in needs if not n.startswith("llvm.")],
            }
            count.entries += 1
            count.tell()
    (target / "functions.txt").write_text("\n".join(sorted(count.names)))
    write_durably(target / "manifest.json", json.dumps(manifest))


@dataclass(frozen=True)
class Kernel:
    """Loaded machine code: addresses, and what keeps them valid."""

    stream: int
    idle: int
    timer: int
    midi: int
    limiter: int
    keep: tuple[object, ...]


STREAM = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_void_p,
)
TIMER = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
)

MIDI = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)
LIMITER = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_double,
    ctypes.c_double,
)


def load(source: Path) -> Kernel:
    """Load the machine code of a folder, without Numba.

    Raises
    ------
    EngineError
        The folder is not whole.
    """
    try:
        manifest = json.loads((source / "manifest.json").read_text())
        objects = {name: (source / f"{name}.o").read_bytes() for name in ENTRIES}
    except (OSError, ValueError) as error:
        raise EngineError(
            f"the machine code in {source} cannot be read: {error}", "remove the folder"
        ) from None
    machine = target_machine(Cpu.host())
    libraries = [ctypes.CDLL(None), ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")]
    nothing = ctypes.cast(libraries[0].abort, ctypes.c_void_p).value
    addresses, keep = {}, []
    for name in ENTRIES:
        for needed in manifest[name]["needs"]:
            # What Numba only calls to raise an exception is never reached, and is not there.
            found = nothing
            for library in libraries:
                if hasattr(library, needed):
                    found = ctypes.cast(getattr(library, needed), ctypes.c_void_p).value
            llvm.add_symbol(needed, found)
        runner = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        machine = target_machine(Cpu.host())
        image = llvm.ObjectFileRef.from_data(objects[name])
        runner.add_object_file(image)
        runner.finalize_object()
        addresses[name] = runner.get_function_address(manifest[name]["symbol"])
        keep += [runner, image]
    return Kernel(**addresses, keep=tuple(keep))


def main(target: Path, cpu: Cpu | None = None) -> int:
    """Build in a process of its own; say in one line what the disk refused."""
    try:
        build(target, cpu)
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)
        return NOT_WRITTEN
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(Cpu, sys.argv[2:])))
