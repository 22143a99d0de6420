"""The rule of session.lock: what is refused when."""

from __future__ import annotations

import pytest

from sfa_engine.desk.session_lock import check_deck, check_session, is_locked
from sfa_engine.errors import Refused

REFUSED_ON_A_DECK = {
    # lock, playing, audible
    ("auto", True, True),
    ("on", True, False),
    ("on", True, True),
}


@pytest.mark.parametrize("lock", ["off", "auto", "on"])
@pytest.mark.parametrize(("playing", "audible"), [(False, False), (True, False), (True, True)])
def test_a_load_is_refused_as_the_lock_says_and_never_when_forced(lock, playing, audible):
    state = {"playing": playing, "audible": audible}
    check_deck(1, "loading", lock, **state, force=True)
    if (lock, playing, audible) in REFUSED_ON_A_DECK:
        with pytest.raises(Refused) as refusal:
            check_deck(1, "loading", lock, **state)
        assert refusal.value.message.startswith("deck 1 is ")
        assert f"session.lock ({lock}) refuses loading" in refusal.value.message
        assert "--force" in refusal.value.hint
    else:
        check_deck(1, "loading", lock, **state)


@pytest.mark.parametrize(
    ("lock", "audible", "locked"),
    [
        ("off", False, False),
        ("off", True, False),
        ("auto", False, False),
        ("auto", True, True),
        ("on", False, True),
        ("on", True, True),
    ],
)
def test_the_session_is_locked_by_an_audible_deck_or_by_hand(lock, audible, locked):
    assert is_locked(lock, audible=audible) is locked


def test_what_concerns_the_set_is_refused_while_it_is_locked_and_done_when_forced():
    check_session("removing a track", locked=False)
    check_session("removing a track", locked=True, force=True)
    with pytest.raises(Refused) as refusal:
        check_session("removing a track", locked=True)
    assert str(refusal.value) == (
        "the session is locked: session.lock refuses removing a track;"
        " wait until no deck is audible, or force it with --force"
    )
