"""What a real-time process asks of the system, and whether it got it. Nothing here insists."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import threading
import time
from pathlib import Path

import llvmlite.binding as llvm
from llvmlite import ir

from sfa_engine.engine.memory import Memory
from sfa_engine.host.build import Cpu, target_machine
from sfa_engine.system import log

_libc = ctypes.CDLL(None, use_errno=True)
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
PRIORITY = 45  # below threaded interrupts, 50: the card's own among them. JACK's clients have 5 up

RETRY_S = 5.0  # until priority is asked for again that an overload took; doubled each time
MAX_RETRIES = 5  # times


def lock_memory() -> bool:
    """Keep this process's pages in memory as they are first used; return whether allowed.

    Where there is a limit, only what is mapped now is locked: one beyond it that is mapped later
    would be refused, not left unlocked.
    """
    flags = _MCL_CURRENT | _MCL_ONFAULT
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        flags |= _MCL_FUTURE
    return int(_libc.mlockall(flags)) == 0


def raise_thread(thread: int, priority: int = PRIORITY) -> int:
    """Give a thread a real-time priority unless it has one; return what it has, 0 for none.

    Only one of this process: to the system, 0 means the caller.
    """
    if not Path(f"/proc/self/task/{thread}").exists():
        return 0
    try:
        if os.sched_getscheduler(thread) & ~_RESET not in {os.SCHED_FIFO, os.SCHED_RR}:
            os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        pass  # not permitted: `sfa doctor` tells how to get it
    return priority_of(thread)


def ask_rtkit(thread: int) -> int:
    """Have RTKit give a thread of this process a real-time priority; return it, 0 for none."""
    if not thread:
        return 0
    from sfa_engine.host import rtkit  # takes 15 ms, and is not needed where there are rights

    rtkit.raise_thread(thread, PRIORITY)
    return priority_of(thread)


_RESET = 0x40000000  # SCHED_RESET_ON_FORK, which sched_getscheduler mixes into the policy


def priority_of(thread: int) -> int:
    """Return a thread's real-time priority, 0 if it has none or is gone."""
    try:
        return int(os.sched_getparam(thread).sched_priority)
    except OSError:
        return 0


class Priority:
    """The real-time priority of the audio thread, which an overload takes from it for a while.

    Where RTKit or PipeWire gave it, the system ends a process whose thread runs for 0.2 s without
    a pause, and sends ``SIGXCPU`` before. A block that is late is better than no process.

    Parameters
    ----------
    memory : Memory
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._engine = memory.engine
        self._had = 0
        self._late = 0
        self._again_s = RETRY_S
        self._times_left = MAX_RETRIES
        self._ask_at = float("inf")
        self._handler: object = None  # kept: its code is

    def handle_overload(self) -> None:
        """From now on take the priority away in time.

        The handler is machine code: the system interrupts the thread that runs without a pause
        with it. One in Python would wait for a processor and for Python's lock, and on a busy
        machine that takes longer than the 0.1 s between signal and end.
        """
        self._handler, address = compile_handler(self._memory)
        _libc.signal(signal.SIGXCPU, ctypes.c_void_p(address))

    def ask(self) -> None:
        """Ask for the priority of the thread that plays."""
        thread = int(self._engine["thread"])
        self._had = raise_thread(thread) or ask_rtkit(thread)
        self._engine["realtime"] = self._had
        hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
        if hard != resource.RLIM_INFINITY:  # the system raises the soft one each time it tells
            resource.setrlimit(resource.RLIMIT_RTTIME, (hard // 2, hard))

    def look(self) -> None:
        """Tell of an overload, and ask again some time after it."""
        now_s = time.monotonic()
        if self._had and not self._engine["realtime"]:
            self._had = 0
            self._late = int(self._engine["late"])
            log.write("warning", "overload: the audio thread plays without real-time priority")
            self._ask_at = now_s + self._again_s if self._times_left else float("inf")
        elif now_s >= self._ask_at and not self._is_calm():
            self._ask_at = now_s + RETRY_S
        elif now_s >= self._ask_at:
            self._ask_at = float("inf")
            self._times_left -= 1
            self._again_s *= 2.0
            # D-Bus may take seconds to answer.
            threading.Thread(target=self.ask, name="priority", daemon=True).start()

    def _is_calm(self) -> bool:
        """Return whether the thread pauses again, and no block was late since the last look.

        The system goes on to count where it was until a thread of priority has paused.
        """
        before, self._late = self._late, int(self._engine["late"])
        try:
            stat = Path(f"/proc/self/task/{int(self._engine['thread'])}/stat").read_text()
        except OSError:
            return False
        return before == self._late and stat.rpartition(")")[2].split()[0] == "S"


def compile_handler(memory: Memory) -> tuple[llvm.ExecutionEngine, int]:
    """Return machine code that takes the audio thread's priority away, and its address.

    A signal handler may use nothing of Python, and has no argument but the signal: it holds the
    addresses of what it reads and writes.
    """
    word, whole, pointer = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
    module = ir.Module()
    change = ir.Function(
        module, ir.FunctionType(whole, [whole, whole, pointer]), "sched_setscheduler"
    )
    lowest = ir.GlobalVariable(module, whole, "lowest")  # a struct sched_param
    lowest.initializer = ir.Constant(whole, 0)
    handler = ir.Function(module, ir.FunctionType(ir.VoidType(), [whole]), "on_overload")
    code = ir.IRBuilder(handler.append_basic_block())

    def field(name: str) -> ir.Value:
        address = ir.Constant(word, memory.field_address(name))
        return code.inttoptr(address, word.as_pointer())

    thread = code.trunc(code.load(field("thread")), whole)
    # A thread without rights may not clear the flag that RTKit sets.
    policy = ir.Constant(whole, os.SCHED_OTHER | _RESET)
    code.call(change, [thread, policy, code.bitcast(lowest, pointer)])
    code.store(ir.Constant(word, 0), field("realtime"))
    code.ret_void()
    runner = llvm.create_mcjit_compiler(
        llvm.parse_assembly(str(module)), target_machine(Cpu.host())
    )
    runner.finalize_object()
    return runner, int(runner.get_function_address(handler.name))
