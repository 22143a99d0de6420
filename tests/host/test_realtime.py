"""What is asked of the system: memory that stays, and priority for the right thread."""

import os
import resource
import subprocess
import sys

import pytest

from sfa_engine.host import realtime

MCL_FUTURE = 2


@pytest.mark.parametrize(("limit", "later"), [(resource.RLIM_INFINITY, True), (1 << 30, False)])
def test_what_is_mapped_later_is_locked_only_where_no_limit_could_refuse_it(
    monkeypatch, limit, later
):
    asked = []

    class System:
        @staticmethod
        def mlockall(flags):
            asked.append(flags)
            return 0

    monkeypatch.setattr(realtime, "_libc", System)
    monkeypatch.setattr(realtime.resource, "getrlimit", lambda _: (limit, limit))
    assert realtime.lock_memory()
    assert [bool(flags & MCL_FUTURE) for flags in asked] == [later]


@pytest.mark.parametrize("of", ["nobody", "another process"])
def test_a_thread_that_is_not_ours_gets_no_priority(of):
    program = "import os; print(os.sched_getscheduler(0), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        thread = {"nobody": 0, "another process": other.pid}[of]
        before = os.sched_getscheduler(thread)
        assert realtime.raise_thread(thread) == 0
        assert os.sched_getscheduler(thread) == before
        other.communicate(b"\n")
