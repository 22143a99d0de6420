"""What a question is like: shares of agents, typos, compounds, and what nobody knows."""

from __future__ import annotations

import tomllib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.agents.contract import AGENTS
from sfa_engine.agents.likeness import BUCKETS, PHRASES, buckets, fitted, likeness, weights
from sfa_engine.bench.agents import SENTENCES
from sfa_engine.library.folding import fold

BANK = tomllib.loads(PHRASES.read_text(encoding="utf-8"))


def test_each_agent_has_phrases_and_none_is_in_two() -> None:
    assert tuple(BANK) == AGENTS
    counts = Counter(fold(phrase) for phrases in BANK.values() for phrase in phrases)
    assert [phrase for phrase, count in counts.items() if count > 1] == []
    assert min(map(len, BANK.values())) >= 90


def test_no_sentence_that_is_scored_is_a_phrase() -> None:
    sets = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    known = {fold(phrase) for phrases in BANK.values() for phrase in phrases}
    assert [each["text"] for part in sets.values() for each in part if fold(each["text"]) in known] == []


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("taek the voccals out", "stems"), ("wheres the drpo", "track"),
        ("Sprungstellenmarkierungen", "cues"), ("lauterdrehen", "mastering"),
        ("sth simliar to this", "library"), ("runing ordr", "mix"),
    ],
)  # fmt: skip
def test_typos_and_compounds_are_like_what_they_come_from(text: str, agent: str) -> None:
    shares = likeness(text)
    assert max(shares, key=lambda each: shares[each]) == agent


@given(st.text(max_size=500))
def test_shares_are_of_one_whole(text: str) -> None:
    shares = likeness(text)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= 0.0


def test_of_what_no_phrase_has_all_agents_have_the_same_share() -> None:
    for text in ("", "?!", "日本語"):
        assert set(likeness(text).values()) == {1 / len(AGENTS)}


def test_weights_are_small_and_come_from_phrases_alone() -> None:
    assert weights().nbytes <= 1 << 20
    assert buckets("cue").max() < BUCKETS
    one = fitted({agent: [f"only {agent}"] for agent in AGENTS})
    best = np.argmax(one[:, buckets("cues")].sum(axis=1))
    assert AGENTS[best] == "cues"
