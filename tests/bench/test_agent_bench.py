"""`sfa bench agents`: its sentences, its questions, and the arithmetic that it trusts."""

from __future__ import annotations

import tomllib
from collections import Counter

from sfa_engine.agents.contract import AGENTS
from sfa_engine.bench import agents
from sfa_engine.bench.agent_library import COUNT, made_tracks
from sfa_engine.track.key import KEYS, camelot, distance


def test_sentences_are_scored() -> None:
    results = agents.run_bench(only=("routing",), quiet=True)
    values = {each["name"]: each["value"] for each in results}
    assert values["routed_pct"] >= 95
    assert 0 < values["routed_fresh_pct"] <= values["offered_fresh_pct"] <= 100
    rows, wrong = agents.bench_routing()
    missed = sum(
        round(row["n"] * (1 - row["value"] / 100)) for row in rows if "offered" not in row["name"]
    )
    assert len(wrong) == missed


def test_each_agent_has_as_many_sentences_in_each_language() -> None:
    sets = tomllib.loads(agents.SENTENCES.read_text(encoding="utf-8"))
    counts = Counter((each["agent"], each["language"]) for each in sets["sentence"])
    assert counts == {(agent, language): 10 for agent in AGENTS for language in ("en", "de")}
    texts = [each["text"] for part in sets.values() for each in part]
    assert len(set(texts)) == len(texts) == 160 + len(sets["later"]) + 150 + 100


def test_each_question_has_a_check() -> None:
    questions = tomllib.loads(agents.QUESTIONS.read_text(encoding="utf-8"))["question"]
    assert len(questions) == 60
    for each in questions:
        assert callable(getattr(agents.Truth, f"_{each['check']}"))
    assert len({(each["text"], each.get("this")) for each in questions}) == 60


def test_the_arithmetic_of_keys_and_tempos_is_right() -> None:
    for key in KEYS:
        assert agents._code(key) == camelot(key)
        near = {camelot(other) for other in KEYS if distance(key, other) <= 1}
        assert agents._near_codes(camelot(key)) == near
    assert agents._is_mixable_tempo(128, 64)
    assert agents._is_mixable_tempo(128, 135.6)
    assert not agents._is_mixable_tempo(128, 136)
    # No pair that is asked about is so near to the limit that it decides how a change is counted.
    tempos = [each.bpm for each in made_tracks()]
    questions = tomllib.loads(agents.QUESTIONS.read_text(encoding="utf-8"))["question"]
    asked = [each["track"] for each in questions if each["check"] == "goes"]
    for one in (tempos[track - 1] for track in asked):
        for other in tempos:
            for factor in (0.5, 1.0, 2.0):
                ratio = factor * other / one
                assert (abs(ratio - 1) <= 0.06) is (abs(1 / ratio - 1) <= 0.06)
    assert len(tempos) == COUNT
