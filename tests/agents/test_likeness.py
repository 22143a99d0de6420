"""What a question is like: weights are those of the phrases; typos, compounds, unknown words."""

from __future__ import annotations

import tomllib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.agents.contract import AGENTS, AgentName
from sfa_engine.agents.likeness import BUCKETS, PHRASES, WEIGHTS, buckets, scores, weights
from sfa_engine.agents.routing import Route, route, scores_of
from sfa_engine.bench import fit_likeness
from sfa_engine.bench.agents import SENTENCES
from sfa_engine.library.folding import fold

BANK = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
NOTHING = dict.fromkeys(AGENTS, 0.0)


def test_each_agent_has_phrases_and_none_is_in_two() -> None:
    assert set(BANK) == set(AGENTS)
    counts = Counter(fold(phrase) for phrases in BANK.values() for phrase in phrases)
    assert [phrase for phrase, count in counts.items() if count > 1] == []
    assert min(map(len, BANK.values())) >= 150


def test_no_fresh_sentence_is_a_phrase() -> None:
    sets = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    known = {fold(text) for text, _ in fit_likeness.labelled()}
    assert [each["text"] for each in sets["fresh"] if fold(each["text"]) in known] == []


def test_the_weights_are_fitted_to_the_phrases_as_they_are() -> None:
    assert weights().digest == fit_likeness.digest(), (
        "phrases, sentences or stems were changed: run python -m sfa_engine.bench.fit_likeness"
    )
    assert WEIGHTS.stat().st_size < 128 << 10


def test_a_fit_says_how_good_it_is_on_what_it_has_not_seen() -> None:
    phrases: list[tuple[str, AgentName]] = [
        (phrase, agent) for agent in AGENTS for phrase in BANK[agent][:12]
    ]
    made, left_out = fit_likeness.fitted(phrases)
    for at in (0, 40):
        rest = phrases[:at] + phrases[at + 1 :]
        alone, _ = fit_likeness.fitted([*rest, phrases[at]])
        assert np.allclose(alone.rarity, made.rarity)
        # Left out by hand, with the rarity of all.
        counted = _refit(phrases, at)
        assert counted == pytest.approx(left_out[at], abs=2e-3)


def _refit(phrases: list[tuple[str, AgentName]], at: int) -> np.ndarray:
    """Return the scores of a phrase by weights that were fitted without it."""
    made, _ = fit_likeness.fitted(phrases)
    rows = np.zeros((len(phrases), BUCKETS + len(AGENTS)))
    for row, (text, _) in enumerate(phrases):
        found = buckets(text)
        rare = made.rarity[found].astype(float)
        rows[row, found] = rare / np.linalg.norm(rare)
        points = scores_of(text)
        rows[row, BUCKETS:] = [fit_likeness.POINT * points[agent] for agent in AGENTS]
    wanted = np.array([[float(agent == each) - 1 / 6 for each in AGENTS] for _, agent in phrases])
    keep = [row for row in range(len(phrases)) if row != at]
    kernel = rows[keep] @ rows[keep].T + fit_likeness.RIDGE * np.eye(len(keep))
    return np.asarray(rows[at] @ rows[keep].T @ np.linalg.solve(kernel, wanted[keep]) + 1 / 6)


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("take the voclas out", "stems"), ("Sprungmarkenpunkte bitte", "cues"),
        ("viel zu leisse", "mastering"), ("sth simliar to this", "library"),
        ("a good runing order", "mix"), ("wie schnel ist das", "track"),
    ],
)  # fmt: skip
def test_typos_and_compounds_are_like_what_they_come_from(text: str, agent: str) -> None:
    assert route(text).agent == agent


@given(st.text(max_size=500))
def test_any_text_has_scores(text: str) -> None:
    found = scores(text, NOTHING)
    assert set(found) == set(AGENTS)
    assert all(-1.0 <= score <= 2.0 for score in found.values())


def test_of_what_no_phrase_has_nothing_is_known() -> None:
    for text in ("", "?!", "\x00"):
        assert set(scores(text, NOTHING).values()) == {0.0}
        assert route(text) == Route("library", 0.0)
