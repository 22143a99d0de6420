"""`sfa ask`: a question to an agent, or a dialogue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import click

from sfa_engine.cli.connect import backstage
from sfa_engine.cli.mix import busy
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import one_line, print_json
from sfa_engine.errors import Refused
from sfa_engine.system.timecode import clock
from sfa_engine.wire.blocking import SocketClient

TIMEOUT_S = 600.0  # of an answer: tools may wait for jobs
STREAM = "cli"
PROMPT = "ask> "
MAX_HISTORY = 20  # questions and answers that are sent along
MAX_OUTPUT = 8000  # characters of an earlier answer
MAX_TRACKS = 500  # of one
MAX_EVIDENCE = 5  # lines


@click.command()
@click.argument("words", nargs=-1)
@click.option("--task", metavar="NAME", default="", help="The agent: track, mix, stems, cues, "
              "mastering or library; by default the one that fits.")  # fmt: skip
@click.option("--track", metavar="WORDS", help='The track that "this" stands for.')
@click.option("--provider", metavar="NAME", default="", help="The provider that is asked first.")
@click.option("--no-model", is_flag=True, help="Answer by rules alone.")
@json_option
def ask(
    words: tuple[str, ...],
    task: str,
    track: str | None,
    provider: str,
    no_model: bool,
    as_json: bool,
) -> None:
    r"""Ask an agent about your music; without words, in a dialogue.

    \b
    sfa ask "dark techno around 126 without vocals"
    sfa ask what key is this in --track halcyon
    sfa ask set cues --task cues --track 12
    sfa ask                                     (a dialogue; an empty line ends it)

    What an agent would change it only proposes: see `sfa proposals`.
    """
    text = " ".join(words).strip()
    if not text and (as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise Refused("no question is asked", 'give words: `sfa ask "…"`')
    with backstage(TIMEOUT_S) as client:
        given: dict[str, Any] = {"task": task, "model": not no_model, "provider": provider}
        if track is not None:
            given["track"] = _number(client, track)
        if text:
            _ask(client, text, as_json=as_json, **given)
        else:
            _talk(client, given)


def _number(client: SocketClient, words: str) -> int:
    number: int = client.call("library.show", track=words)["id"]
    return number


def _talk(client: SocketClient, given: dict[str, Any]) -> None:
    """Ask one question after another; each knows those before."""
    with suppress(ImportError):
        import readline  # noqa: F401 - lines can be edited, and those before come back
    history: list[dict[str, Any]] = []
    while True:
        try:
            text = input(PROMPT).strip()
        except EOFError:
            click.echo()
            return
        if not text:
            return
        try:
            said = _ask(client, text, history=history[-MAX_HISTORY:], **given)
        except Refused as error:  # the next question may be answered
            click.echo(one_line(str(error)), err=True)
            continue
        history.append(
            {
                "instruction": text,
                "output": said["output"][:MAX_OUTPUT],
                "agent": said["agent"],
                "tracks": said["tracks"][:MAX_TRACKS],
            }
        )


def _ask(client: SocketClient, text: str, *, as_json: bool = False, **given: Any) -> dict[str, Any]:
    """Ask a question, and print the answer; return it."""
    preview = _Preview(busy("asking", quiet=as_json), shows=not as_json and sys.stdout.isatty())
    with preview:
        said: dict[str, Any] = client.call_with_notifications(
            preview.hear, "agents.ask", instruction=text, stream=STREAM, **given
        )
    if as_json:
        print_json(said)
        return said
    if not preview.is_whole(said["output"]):
        click.echo(said["output"])
    for line in _about(said):
        click.echo(one_line(line))
    for line in _remarks(said):
        click.echo(one_line(line), err=True)
    return said


class _Preview:
    """Shows that an answer is waited for, and a model's words as they come.

    Parameters
    ----------
    status : context manager
        Shows that something is waited for.
    shows : bool
        Whether words are shown before all are there.
    """

    def __init__(self, status: AbstractContextManager[Any], *, shows: bool) -> None:
        self._status: AbstractContextManager[Any] | None = status
        self._shows = shows
        self._text = ""

    def __enter__(self) -> None:
        assert self._status is not None
        self._status.__enter__()

    def __exit__(self, *error: object) -> None:
        self._end_status()
        if self._text and not self._text.endswith("\n"):
            click.echo()

    def hear(self, method: str, params: Any) -> None:
        """Show words that were pushed."""
        if method != "agents.piece" or params["stream"] != STREAM or not self._shows:
            return
        self._end_status()
        self._text += params["text"]
        click.echo(params["text"], nl=False)

    def is_whole(self, output: str) -> bool:
        """Return whether all of an answer is shown; if not, say that what was shown is not it."""
        is_whole = self._text.split() == output.split()
        if self._text and not is_whole:
            click.echo("---")  # what was shown is not the answer, or not all of it
        return is_whole

    def _end_status(self) -> None:
        if self._status is not None:
            status, self._status = self._status, None
            status.__exit__(None, None, None)


def _about(said: dict[str, Any]) -> Iterator[str]:
    """Yield what an answer rests on, what is proposed, and what may be asked next."""
    evidence = said["evidence"]
    for each in evidence[:MAX_EVIDENCE]:
        yield f"  - {each['sentence']}{_place(each)}"
    if len(evidence) > MAX_EVIDENCE:
        yield f"  - and {len(evidence) - MAX_EVIDENCE} more: --json"
    for each in said["proposals"]:
        yield f"proposal {each['id']}: {each['title']}"
        if each["reason"]:
            yield f"  {each['reason']}"
        if each["audition"]:
            yield f"  hear it: sfa mix audition {each['audition']}"
        yield f"  apply it: sfa proposals apply {each['id']}"
    if said["questions"]:
        yield "ask next:"
        yield from (f"  {question}" for question in said["questions"])


def _place(evidence: dict[str, Any]) -> str:
    where = [f"#{evidence['track']}"] if evidence["track"] is not None else []
    if evidence["position_s"] is not None:
        where.append(f"at {clock(evidence['position_s'])}")
    return f" ({' '.join(where)})" if where else ""


def _remarks(said: dict[str, Any]) -> Iterator[str]:
    """Yield notes, and which model worded the answer."""
    yield from (f"note: {note}" for note in said["notes"])
    if said["by"] == "model":
        cost = said["cost_usd"]
        words = [said["model"], said["provider"], f"{said['tokens']} tokens"]
        words.append("cost unknown" if cost is None else f"${cost:.4f}")
        yield f"worded by {', '.join(filter(None, words))}"
