"""What is asked of the system: memory that stays, and priority for the right thread."""

import resource

import pytest

from sfa_engine.audio import realtime

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
