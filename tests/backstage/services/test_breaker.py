"""The breaker, in virtual time, and against any order of calls and outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.backstage.services.breaker import MAX_FAILURES, REST_S, Breaker
from sfa_engine.backstage.services.errors import ServiceError


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("Spotify", clock=clock)


def fail(breaker, times=MAX_FAILURES):
    for _ in range(times):
        breaker.admit()
        breaker.failed()


def test_it_stays_closed_while_failures_do_not_follow_each_other(breaker):
    for _ in range(10):
        fail(breaker, MAX_FAILURES - 1)
        breaker.admit()
        breaker.succeeded()
    assert breaker.state == "closed"


def test_five_failures_in_a_row_open_it_and_it_says_for_how_long(breaker, clock):
    fail(breaker)
    clock.now_s = 10.5
    assert breaker.state == "open"
    with pytest.raises(ServiceError, match=r"Spotify failed 5 times .* retried in 20 s") as refused:
        breaker.admit()
    assert refused.value.retry_after_s == 19.5


def test_after_its_rest_one_call_and_no_other_goes_through(breaker, clock):
    fail(breaker)
    clock.now_s = REST_S
    breaker.admit()
    assert breaker.state == "trial"
    with pytest.raises(ServiceError, match="being retried now"):
        breaker.admit()


def test_a_trial_that_succeeds_closes_it(breaker, clock):
    fail(breaker)
    clock.now_s = REST_S
    breaker.admit()
    breaker.succeeded()
    for _ in range(3):
        breaker.admit()
    assert breaker.state == "closed"


def test_a_trial_that_fails_opens_it_for_another_rest(breaker, clock):
    fail(breaker)
    clock.now_s = REST_S
    breaker.admit()
    breaker.failed()
    clock.now_s = 2 * REST_S - 0.1
    assert breaker.state == "open"
    clock.now_s = 2 * REST_S
    breaker.admit()


def test_a_trial_that_is_abandoned_leaves_its_place_to_the_next(breaker, clock):
    fail(breaker)
    clock.now_s = REST_S
    breaker.admit()
    breaker.abandoned()
    breaker.admit()


@given(st.lists(st.sampled_from(["call", "succeeded", "failed", "abandoned", "wait"]), max_size=80))
def test_whatever_happens_it_is_never_shut_for_longer_than_its_rest(events):
    clock = Clock()
    breaker = Breaker("Spotify", clock=clock)
    under_way = 0
    waits = []
    for event in events:
        if event == "wait":
            clock.now_s += 7.0
        elif event == "call":
            admitted = True
            try:
                breaker.admit()
            except ServiceError as error:
                admitted = False
                waits.append(error.retry_after_s)
            assert admitted or breaker.state != "closed"
            under_way += admitted
        elif under_way:
            getattr(breaker, event)()
            under_way -= 1
    assert all(0 < wait_s <= REST_S for wait_s in waits)
    for _ in range(under_way):
        breaker.abandoned()
    clock.now_s += REST_S
    breaker.admit()
