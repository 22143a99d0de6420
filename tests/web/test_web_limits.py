"""Rates and delays, in virtual time."""

from sfa_engine.web.limits import FREE_TRIES, MAX_DELAY_S, MAX_SENDERS, Delays, Limits, Rate


def test_a_rate_is_used_up_and_comes_back():
    limits = Limits()
    assert all(limits.take("a", Rate.HEAVY, 0.0) == 0 for _ in range(10))
    assert limits.take("a", Rate.HEAVY, 0.0) == 6
    assert limits.take("a", Rate.HEAVY, 5.0) == 1
    assert limits.take("a", Rate.HEAVY, 6.5) == 0


def test_senders_and_kinds_are_counted_apart():
    limits = Limits()
    for _ in range(10):
        limits.take("a", Rate.HEAVY, 0.0)
    assert limits.take("b", Rate.HEAVY, 0.0) == 0
    assert limits.take("a", Rate.CHANGE, 0.0) == 0


def test_a_clock_that_goes_back_gives_nothing():
    limits = Limits()
    for _ in range(10):
        limits.take("a", Rate.HEAVY, 100.0)
    assert limits.take("a", Rate.HEAVY, 0.0) > 0


def test_what_is_remembered_of_senders_is_bounded():
    limits = Limits()
    for number in range(MAX_SENDERS + 100):
        limits.take(str(number), Rate.READ, 0.0)
    assert len(limits._buckets) == MAX_SENDERS


def test_wrong_passwords_take_ever_longer():
    delays = Delays()
    for _ in range(FREE_TRIES - 1):
        delays.fail("name", "address", 0.0)
    assert delays.wait_s("name", "address", 0.0) == 0
    waits = []
    for _ in range(20):
        delays.fail("name", "address", 0.0)
        waits.append(delays.wait_s("name", "address", 0.0))
    assert waits[:3] == [2, 4, 8]
    assert waits[-1] == MAX_DELAY_S
    assert delays.wait_s("name", "elsewhere", 0.0) == 0
    delays.succeed("name", "address")
    assert delays.wait_s("name", "address", 0.0) == 0
