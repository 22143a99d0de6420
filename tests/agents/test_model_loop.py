"""A model that words answers: what it may call, what is checked, and what is left when it fails."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from fake_llm import (
    FOREIGN,
    KEY,
    Reply,
    Seen,
    anthropic_answer,
    error,
    events,
    ollama_answer,
    openai_answer,
)
from llm_cases import Desk, made, with_fakes
from loop_cases import ASKED, RESULT, TOOLS, Done, Meeting, Talk, TrackOf, reason, tool
from scripted_model import ADAPTERS, Turn, script

from sfa_engine.agents.contract import Context
from sfa_engine.agents.contract import Turn as Earlier
from sfa_engine.agents.figures import Known
from sfa_engine.agents.llm.budget import DayBudget, Question
from sfa_engine.agents.llm.registry import Model
from sfa_engine.agents.model_loop import MAX_OUTPUT, chosen, worded

WORDS = "It is in A minor (8A), at 124 BPM; #13 fits."
FIND = ("find", {"words": "quiet", "limit": 3})


# ---------------------------------------------------------------- words and tools


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_model_calls_tools_and_words_the_answer(adapter):
    async def scenario(fake):
        said = script(
            Turn("Let me look.", [FIND]), Turn("", [("facts", {"track": 13})]), Turn(WORDS)
        )
        talk = Talk(fake, said, adapter)
        found = await talk.worded()
        assert said.refused == []
        assert (found.by, found.output, found.data) == ("model", WORDS, RESULT.data)
        assert (found.model, found.provider) == ("fake-1", adapter.replace("_", "-"))
        assert found.tokens == talk.desk.question.tokens > 0
        assert found.tracks == (13, 12)
        assert (found.evidence, found.notes) == (RESULT.evidence, RESULT.notes)
        assert len(fake.asked) == 3
        assert "".join(talk.pieces).strip() == WORDS

    with_fakes(scenario)


def test_cost_is_the_sum_of_all_rounds_and_unknown_if_one_is():
    async def scenario(fake):
        said = script(Turn("", [FIND]), Turn(WORDS))
        talk = Talk(fake, said)
        assert (await talk.worded()).cost_usd is None
        talk = Talk(fake, script(Turn("", [FIND]), Turn(WORDS)))
        talk.desk = Desk([made("openai", fake.url)], [Model("openai", "fake-1", input=1, output=1)])
        assert (await talk.worded()).cost_usd == pytest.approx(2 * 18 / 1e6)

    with_fakes(scenario)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_texts_of_strangers_come_in_results_of_tools_only(adapter):
    async def scenario(fake):
        earlier = (Earlier("what is loud?", "Loud is loud.", "library"),)
        talk = Talk(fake, script(Turn("", [FIND]), Turn("Fine.")), adapter)
        talk.context = Context("what key is this in?", 12, history=earlier)
        assert (await talk.worded()).by == "model"
        for seen in fake.asked:
            assert "Quiet" in json.dumps(seen.body)
            outside = json.dumps(_without_results(seen.body))
            assert "Quiet" not in outside
            assert "Loud" not in outside
            assert "what key is this in?" in outside

    with_fakes(scenario)


def _without_results(value: Any) -> Any:
    """Return a request without what tools have returned, in any dialect."""
    if isinstance(value, list):
        return [_without_results(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("role") == "tool" or value.get("type") == "tool_result":
        return None
    return {
        name: _without_results(each) for name, each in value.items() if name != "functionResponse"
    }


def test_gemini_is_told_that_the_first_call_is_not_its_own():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("Fine.")), "google_gemini")
        await talk.worded()
        talk.desk = Desk([made("google_gemini", fake.url, model="gemini-2.5-flash")])
        await talk.worded()  # of a generation that knows no signatures
        newer, older = (json.dumps(each.body["contents"]) for each in fake.asked)
        assert (newer.count(FOREIGN), older.count(FOREIGN)) == (1, 0)

    with_fakes(scenario)


def test_only_tools_of_the_given_scopes_are_offered():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("", [("start", {"track": 12})]), Turn("Fine.")))
        talk.bench.scopes |= {"admin"}  # is never given
        await talk.worded()
        offered = {each["function"]["name"] for each in fake.asked[0].body["tools"]}
        assert offered == {"answer_by_rules", *TOOLS} - {"start", "remove_everything"}
        assert talk.results()[-1]["content"].startswith('start needs the scope "prepare"')

    with_fakes(scenario)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (("fnd", {}), 'no tool "fnd"; did you mean "find"?'),
        (("shell", {"command": "rm -rf /"}), 'no tool "shell"; there are: find, facts,'),
        (("", {}), 'no tool ""; there are:'),
        (("facts", {"track": "twelve"}), "facts: Expected `int`, got `str` - at `$.track`"),
        (("facts", {"track": None}), "facts: Expected `int`, got `null`"),
        (("facts", {}), "facts: Object missing required field `track`"),
        (("facts", {"track": 12, "path": "/etc/passwd"}), "unknown field `path`"),
        (("facts", "[1, 2]"), "the arguments are not a JSON object"),
        (("facts", '{"track": 1'), "the arguments are not JSON"),
        (("find", {"words": "x", "limit": 1000}), "Expected `int` <= 20"),
        (("draft", {"track": 12, "kind": "c"}), "Invalid enum value 'c'"),
        (("facts", {"track": 14}), "no tool has returned a track 14; search first"),
        (("facts", {"track": 10**18}), "no tool has returned a track"),
        (("broken", {"track": 12}), "a fault in the engine: ZeroDivisionError"),
        (("remove_everything", {"track": 12}), 'remove_everything needs the scope "admin"'),
    ],
)
def test_what_is_wrong_with_a_call_is_told_to_the_model_in_a_sentence(call, sentence):
    async def scenario(fake):
        said = script(Turn("", [call]), Turn("Fine."))
        talk = Talk(fake, said)
        found = await talk.worded()
        content = talk.results()[-1]["content"]
        assert sentence in content
        assert "\n" not in content
        assert len(content) <= 400
        assert (found.by, said.refused) == ("model", [])

    with_fakes(scenario)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_errors_of_tools_are_marked_in_every_dialect(adapter):
    async def scenario(fake):
        said = script(Turn("", [("shell", {}), FIND]), Turn("Fine."))
        found = await Talk(fake, said, adapter).worded()
        assert (found.by, said.refused) == ("model", [])
        assert "no tool" in json.dumps(fake.asked[-1].body)

    with_fakes(scenario)


def test_calls_that_only_read_run_at_once_and_others_in_their_order():
    async def scenario(fake):
        reading, writing = Meeting(), Meeting()
        tools = {
            "read": tool("read", TrackOf, Done, reading.run, "read"),
            "write": tool("write", TrackOf, Done, writing.run, "propose"),
        }
        calls = [("read", {"track": number}) for number in range(3)]
        calls += [("write", {"track": number}) for number in range(3)]
        talk = Talk(fake, script(Turn("", calls), Turn("Fine.")), tools=tools)
        await talk.worded()
        assert (reading.most, writing.most, writing.order) == (3, 1, [0, 1, 2])
        done = [json.loads(each["content"])["done"] for each in talk.results()[1:]]
        assert done == ["0", "1", "2", "0", "1", "2"]

    with_fakes(scenario)


def test_a_tool_that_says_that_it_only_reads_needs_the_scope_for_it():
    async def scenario(fake):
        meeting = Meeting()
        lying = tool("lying", TrackOf, Done, meeting.run, "propose")
        object.__setattr__(lying, "is_read_only", True)
        calls = [("lying", {"track": number}) for number in range(3)]
        await Talk(fake, script(Turn("", calls), Turn("Fine.")), tools={"lying": lying}).worded()
        assert meeting.most == 1

    with_fakes(scenario)


def test_only_so_many_calls_of_a_round_are_carried_out():
    async def scenario(fake):
        meeting = Meeting()
        tools = {"read": tool("read", TrackOf, Done, meeting.run, "read")}
        calls = [("read", {"track": number}) for number in range(20)]
        said = script(Turn("", calls), Turn("Fine."))
        talk = Talk(fake, said, tools=tools)
        found = await talk.worded()
        assert (found.by, said.refused) == ("model", [])
        assert meeting.order == list(range(8))
        assert "at most 8 tools are called at once" in talk.results()[-1]["content"]

    with_fakes(scenario)


def test_results_are_cut_to_four_kilobytes_of_json():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("", [("huge", {"track": 12})]), Turn("Fine.")))
        await talk.worded()
        content = talk.results()[-1]["content"]
        assert 1000 < len(content.encode()) <= 4096
        assert json.loads(content)["cut"] is True

    with_fakes(scenario)


# ---------------------------------------------------------------- models that find no end


def test_a_call_in_a_circle_is_told_so_and_the_third_ends():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("", [FIND])))
        note = reason(await talk.worded())
        assert note == ("not worded by fake-1: it called find 3 times with the same arguments")
        assert talk.results()[-1]["content"].startswith("this was called with the same arguments")
        assert len(fake.asked) == 3

    with_fakes(scenario)


def test_the_order_of_arguments_hides_no_circle():
    async def scenario(fake):
        turned = ("find", {"limit": 3, "words": "quiet"})
        talk = Talk(fake, script(Turn("", [FIND]), Turn("", [turned]), Turn("Fine.")))
        assert (await talk.worded()).by == "model"
        assert talk.results()[-1]["content"].startswith("this was called with the same arguments")

    with_fakes(scenario)


def test_after_eight_rounds_of_tools_the_rules_answer():
    async def scenario(fake):
        def again(_seen: Seen) -> Turn:
            return Turn("", [("find", {"words": f"{len(fake.seen)}", "limit": 1})])

        note = reason(await Talk(fake, script(again)).worded())
        assert note == "not worded by fake-1: it still calls tools after 8 rounds"
        assert len(fake.asked) == 9

    with_fakes(scenario)


def test_a_tool_that_does_not_end_is_left_when_the_time_is_over():
    async def scenario(fake):
        def late(_seen: Seen) -> Turn:
            talk.desk.question.max_seconds = 0.1  # when the provider has answered
            return Turn("", [("endless", {"track": 12})])

        talk = Talk(fake, script(late))
        assert reason(await talk.worded()) == "not worded by fake-1: the question took 0.1 s"

    with_fakes(scenario)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_answer_of_ten_megabytes_is_not_taken(adapter):
    async def scenario(fake):
        note = reason(await Talk(fake, script(Turn("x" * 10_000_000)), adapter).worded())
        assert "its answer is too large" in note

    with_fakes(scenario)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "after a round"])
def test_a_provider_that_dies_midway_leaves_the_rules(adapter, is_late):
    async def scenario(fake):
        dying = script(*([Turn("", [FIND])] if is_late else []), _begun)
        talk = Talk(fake, dying, adapter)
        note = reason(await talk.worded())
        assert "failed after part of its answer" in note
        assert talk.pieces == []  # of a sentence without an end

    with_fakes(scenario)


def _begun(seen: Seen) -> Reply:
    """Return the beginning of a streamed answer, after which the connection is closed."""
    if "/v1/messages" in seen.path:
        whole = anthropic_answer({"stream": True})
        return Reply(kind=whole.kind, chunks=whole.chunks[:8], cut=True)
    if "enerateContent" in seen.path:
        part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "It"}]}}]}
        return Reply(kind="text/event-stream", chunks=events([part]), cut=True)
    whole = ollama_answer({}) if "/api/" in seen.path else openai_answer({"stream": True})
    return Reply(kind=whole.kind, chunks=whole.chunks[:2], cut=True)


# ---------------------------------------------------------------- failures


def test_without_a_provider_the_rules_answer():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("x")))
        talk.desk = Desk([])
        note = reason(await talk.worded())
        assert note == (
            "not worded by a model: no language model is configured; add one: `sfa llm add`"
        )
        talk.desk = Desk([made("openai", fake.url)])
        assert 'no provider "mine"' in reason(await talk.worded(provider="mine"))
        assert fake.asked == []

    with_fakes(scenario)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_key_that_a_provider_repeats_is_in_no_note(adapter):
    async def scenario(fake):
        fake_error = error("openai", 401, "invalid_api_key", f"bad key {KEY}")
        note = reason(await Talk(fake, script(fake_error), adapter).worded())
        assert "***" in note
        assert KEY not in note

    with_fakes(scenario)


def test_a_spent_budget_leaves_the_rules():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("", [FIND]), Turn(WORDS)))
        talk.desk.question.max_tokens = 100
        assert "needs more than 100 tokens" in reason(await talk.worded())
        talk.desk = Desk([made("openai", fake.url)], [Model("openai", "fake-1", input=9, output=9)])
        talk.desk.question.day = DayBudget(0.01, 0.01)
        assert "more than is left for today" in reason(await talk.worded())
        assert fake.asked == []

    with_fakes(scenario)


def test_two_questions_at_once_have_benches_of_their_own():
    async def scenario(fake):
        calls = [("draft", {"track": 12, "kind": "a"})]
        first, second = Talk(fake, script(Turn("x"))), Talk(fake, script(Turn("x")))

        def turn(seen: Seen) -> Turn:
            has_called = len(seen.body["messages"]) > 5
            is_first = "first" in seen.body["messages"][1]["content"]
            return Turn("Fine.", [] if has_called or not is_first else calls)

        fake.always = script(turn)
        first.context, second.context = Context("first?", 12), Context("second?", 12)
        one, other = await asyncio.gather(first.worded(), second.worded())
        assert (one.by, other.by) == ("model", "model")
        assert [each.title for each in one.proposals] == ["Cues a"]
        assert other.proposals == ()

    with_fakes(scenario)


def test_drafts_of_an_answer_that_is_not_given_are_dropped():
    async def scenario(fake):
        calls = [("draft", {"track": 12, "kind": "a"})]
        talk = Talk(fake, script(Turn("", calls), Turn("It has 999 BPM.")))
        reason(await talk.worded())
        assert talk.bench.proposals == []

    with_fakes(scenario)


def test_a_question_that_is_given_up_is_cancelled():
    async def scenario(fake):
        talk = Talk(fake, script(Reply(kind="text/event-stream", hangs=True)))
        task = asyncio.create_task(talk.worded())
        while not fake.asked:  # noqa: ASYNC110 - over a socket
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert talk.desk.outcomes == ["cancelled"]

    with_fakes(scenario)


def test_a_fault_of_ours_is_a_note_and_in_the_log(caplog):
    async def scenario(fake):
        talk = Talk(fake, script(Turn("Fine. Really.")))

        def fails(_piece: str) -> None:
            raise RuntimeError("the window is closed")

        found = await talk.worded(on_piece=fails)
        assert "a fault in the engine: RuntimeError" in reason(found)

    with_fakes(scenario)
    assert "an answer could not be worded" in caplog.text


@pytest.mark.parametrize(
    ("finish", "text", "why"),
    [("content_filter", "No.", "it refused"), ("stop", "![](http://x/y)", "it said nothing")],
)
def test_an_answer_without_words_leaves_the_rules(finish, text, why):
    async def scenario(fake):
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        reply = Reply(chunks=[json.dumps({"choices": [choice], "model": "fake-1"}).encode()])
        assert reason(await Talk(fake, script(reply)).worded()) == f"not worded by fake-1: {why}"

    with_fakes(scenario)


def test_an_answer_that_ends_at_its_limit_says_so():
    async def scenario(fake):
        choice = {"message": {"role": "assistant", "content": "It is"}, "finish_reason": "length"}
        reply = Reply(chunks=[json.dumps({"choices": [choice]}).encode()])
        found = await Talk(fake, script(reply)).worded()
        assert (found.by, found.output) == ("model", "It is")
        assert found.notes[-1] == "the model's answer is cut at its limit"

    with_fakes(scenario)


# ---------------------------------------------------------------- what it says


@pytest.mark.parametrize(
    "text",
    [
        "124.02 BPM, or 124 BPM, or 124,0 BPM in German.",
        "A minor, which is 8A; 7A, 9A and C major fit.",
        "In a-Moll, mit 97 % Sicherheit.",
        "-9.5 LUFS, 5:01 long, 301 seconds, 5 minutes; the drop of 32 bars at 1:04.",
        "You asked for 120 BPM; #12 is 4 BPM faster.",
        "A major plan for a minor change. 90s house. 2 of 8 bars.",
        "Quiet (#12) is quiet.",
    ],
)
def test_figures_that_code_knows_may_be_said_in_many_ways(text):
    async def scenario(fake):
        found = await Talk(fake, script(Turn("", [FIND]), Turn(text))).worded()
        assert (found.by, found.output) == ("model", text), found.notes

    with_fakes(scenario)


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("It has 125 BPM.", "125 BPM"),
        ("Mit 124,5 BPM.", "124,5 BPM"),
        ("It has 301 BPM, as many as seconds.", "301 BPM"),
        ("It has 174 BPM, as a title says.", "174 BPM"),
        ("Now at 174 BPM is the one.", "174 BPM"),
        ("In B minor.", "B minor"),
        ("In h-Moll.", "h-Moll"),
        ("In 3A.", "3A"),
        ("In F#m.", "F#m"),
        ("-9.0 LUFS.", "9.0 LUFS"),
        ("The drop is at 2:04.", "2:04"),
        ("The drop is at 65.5 s.", "65.5 s"),
        ("I am 98 % sure.", "98 %"),
        ("Released in 1999.", "1999"),
    ],
)
def test_a_figure_that_code_does_not_know_leaves_the_rules(text, figure):
    async def scenario(fake):
        turns = [Turn("", [FIND])] if "174" in text else []
        note = reason(await Talk(fake, script(*turns, Turn(text))).worded())
        assert note == f"not worded by fake-1: it gave a figure that no tool returned: {figure}"

    with_fakes(scenario)


@pytest.mark.parametrize("number", [13, 99, 10**17])
def test_a_track_that_no_tool_returned_leaves_the_rules(number):
    async def scenario(fake):
        note = reason(await Talk(fake, script(Turn(f"Play #{number} next."))).worded())
        assert note.endswith(f"it named a track that no tool returned: #{number}")

    with_fakes(scenario)


def test_figures_of_a_tool_that_was_called_are_known():
    async def scenario(fake):
        text = "#13 has 126 BPM in E minor."
        assert (await Talk(fake, script(Turn("", [FIND]), Turn(text))).worded()).output == text
        reason(await Talk(fake, script(Turn(text))).worded())

    with_fakes(scenario)


def test_names_of_measures_are_code_and_names_of_tracks_are_strangers():
    known = Known()
    known.add({"chain": [{"name": "bell 6600 Hz +3.0 dB", "gain_db": 3.0}]})
    known.add({"track": {"id": 3, "name": "I am 174 BPM"}, "why": "I am 174 BPM is 126.0 BPM"})
    assert known.unknown("A bell at 6600 Hz, of 3 dB, for 126 BPM") == ""
    assert known.unknown("I am 174 BPM") == "174 BPM"


@pytest.mark.parametrize(
    "text",
    [
        "BPM: 174", "tempo of 174", '"bpm": 174.0', "Loudness: -3.0", "174BPM", "174-178 BPM",
        "Eb minor", "es-Moll", "B flat major", "2:54", "174 s", "174 ms", "2.9 minutes",
    ],
)  # fmt: skip
def test_figures_are_found_however_they_are_written(text):
    known = Known("174?" if "BPM" in text else "")
    known.add({"bpm": 126.0, "key": "A minor", "lufs": -9.0, "start_s": 17.4, "count": 1})
    assert (known.unknown(text) == "") is ("BPM" in text and "178" not in text), text


def test_a_long_answer_is_cut_and_links_are_not_shown():
    async def scenario(fake):
        found = await Talk(fake, script(Turn("a b " * 30_000))).worded()
        assert (found.by, len(found.output), found.output[-1]) == ("model", MAX_OUTPUT, "…")
        text = "See [this](http://evil.example/x), ![](http://evil.example/p) **now**."
        found = await Talk(fake, script(Turn(text))).worded()
        assert (found.by, found.output) == ("model", "See this, now.")

    with_fakes(scenario)


def test_only_checked_sentences_are_shown_before_the_end():
    async def scenario(fake):
        text = "It is quiet. See http://evil.example/x now. It has 174 BPM. And more."
        pieces = [{"choices": [{"delta": {"content": each}}]} for each in text]
        pieces.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        stream = Reply(kind="text/event-stream", chunks=events(pieces, end=b"data: [DONE]\n\n"))
        talk = Talk(fake, script(stream))
        reason(await talk.worded())
        assert "".join(talk.pieces) == "It is quiet. See now. "

    with_fakes(scenario)


# ---------------------------------------------------------------- the choice of an agent


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_model_chooses_among_the_candidates(adapter):
    async def scenario(fake):
        for text, agent in (
            ('{"agent": "stems"}', "stems"),
            ('{"agent": "mix"}', "track"),
            ('{"agent": 7}', "track"),
            ("stems", "track"),
            ("[]", "track"),
        ):
            fake.always = script(Turn(text))
            desk = Desk([made(adapter, fake.url)])
            found = await chosen("vocals?", ["track", "stems"], desk.router, desk.question)
            assert (found, desk.question.rounds) == (agent, 0), text
        assert "facts of one track" in json.dumps(fake.asked[0].body)
        assert "vocals?" in json.dumps(fake.asked[0].body)

    with_fakes(scenario)


def test_without_a_model_the_first_candidate_is_chosen():
    async def scenario(fake):
        desk = Desk([])
        assert await chosen("x", ["cues", "stems"], desk.router, desk.question) == "cues"
        desk = Desk([made("openai", fake.url)])
        assert await chosen("x", ["mix"], desk.router, desk.question) == "mix"
        assert fake.asked == []

    with_fakes(scenario)


def test_a_question_without_words_is_answered_all_the_same():
    async def scenario(fake):
        said = script(Turn("Fine."))
        talk = Talk(fake, said, "anthropic")
        talk.context = Context("  ")
        assert (await talk.worded()).by == "model"
        assert said.refused == []

    with_fakes(scenario)


def test_time_of_both_parts_is_counted():
    async def scenario(fake):
        talk = Talk(fake, script(Turn("Fine.")))
        ticks = itertools.count()
        question = Question(lambda: float(next(ticks)))
        found = await worded(RESULT, ASKED, talk.bench, talk.desk.router, question, tools={})
        assert found.latency_ms > 1000
        assert (await talk.worded()).latency_ms == 3

    with_fakes(scenario)
