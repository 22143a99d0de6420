"""`sfa llm`: language models; keys are read from a prompt, standard input or the environment."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click

from sfa_engine.cli.confirm import confirm, yes_option
from sfa_engine.cli.connect import backstage
from sfa_engine.cli.main import Group
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import one_line, print_json, print_rows
from sfa_engine.errors import Refused

WITHOUT_KEY = ("ollama", "lm_studio")  # are not asked for one
UNKNOWN = "?"


@click.group(cls=Group)
def llm() -> None:
    """Language models: providers, their health, models and costs; see docs/agents.md."""


@llm.command()
@json_option
def providers(as_json: bool) -> None:
    """List the providers, in the order in which they are asked."""
    with backstage() as client:
        found = client.call("llm.providers")["providers"]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no provider; add one: sfa llm add anthropic", err=True)
        return
    rows: list[tuple[str, ...]] = [("name", "adapter", "model", "key", "state", "address")]
    rows += [
        (
            *(each["name"], each["adapter"], one_line(each["model"]) or "usual"),
            *("yes" if each["has_key"] else "no", _state(each), one_line(each["url"])),
        )
        for each in found
    ]
    print_rows(rows)


@llm.command()
@click.argument("adapter")
@click.option("--name", help="Its name; that of the adapter by default.")
@click.option("--url", default="", help="Its address, where it is not the usual one.")
@click.option("--model", default="", help="Model, or Azure's deployment.")
@click.option("--place", type=click.IntRange(1, 32), help="In the order; last by default.")
@click.option("--api-version", default="", help="Of Azure's older addresses, as 2024-10-21.")
@click.option("--key/--no-key", "wants_key", default=None, help="Whether a key is read.")
@click.option("--key-env", metavar="VARIABLE", help="Read the key from that variable.")
@json_option
def add(
    adapter: str,
    name: str | None,
    wants_key: bool | None,
    key_env: str | None,
    as_json: bool,
    **values: Any,
) -> None:
    r"""Add a provider, or change the one of its name; the key is read, never given here.

    \b
    sfa llm add anthropic
    sfa llm add openai --key-env OPENAI_API_KEY
    sfa llm add ollama --model qwen3:8b
    sfa llm add custom_openai --name rig --url http://10.0.0.5:8080/v1 < key.txt
    """
    if wants_key is None:
        wants_key = adapter not in WITHOUT_KEY
    key = _key(adapter, key_env) if wants_key or key_env else None
    with backstage() as client:
        said = client.call(
            "llm.add", name=name or adapter.replace("_", "-"), adapter=adapter, key=key, **values
        )
    if as_json:
        print_json(said)
    else:
        click.echo(f"{said['name']} is stored; check it: sfa llm test {said['name']}")


@llm.command()
@click.argument("name")
@yes_option
def remove(name: str, yes: bool) -> None:
    """Remove a provider and its key."""
    confirm(f'Remove "{name}" and its key?', yes=yes)
    with backstage() as client:
        client.call("llm.remove", name=name)


@llm.command()
@click.argument("name", required=False)
@json_option
def test(name: str | None, as_json: bool) -> None:
    """Check a provider, or all of them, by a request that costs nothing."""
    with backstage() as client:
        listed = client.call("llm.providers")["providers"] if name is None else [{"name": name}]
        found = [client.call("llm.test", name=each["name"]) for each in listed]
    if as_json:
        print_json(found)
    else:
        for each in found:
            why = f": {each['why']}" if each["why"] else ""
            click.echo(one_line(f"{each['name']}: {_state(each)}{why}"))
    if not found:
        click.echo("no provider; add one: sfa llm add anthropic", err=True)
    if any(each["state"] != "ready" for each in found):
        raise click.exceptions.Exit(1)


@llm.command()
@click.argument("name")
@json_option
def models(name: str, as_json: bool) -> None:
    """List a provider's models; prices are dollars for a million tokens, ? is unknown."""
    with backstage() as client:
        found = client.call("llm.models", name=name)["models"]
    if as_json:
        print_json(found)
        return
    heads = ("model", "listed", "context", "tools", "json", "in $", "out $", "quality", "speed")
    rows: list[tuple[str, ...]] = [heads]
    rows += [
        (
            one_line(each["name"]),
            *(_yes(each["listed"]), _number(each["context"]), _yes(each["tools"])),
            *(_yes(each["json"]), _number(each["input_usd"]), _number(each["output_usd"])),
            *(_number(each["quality"]), _number(each["speed"])),
        )
        for each in found
    ]
    print_rows(rows)


@llm.command()
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@json_option
def usage(days: int, as_json: bool) -> None:
    """Show what was asked, by day, provider and model, and what it cost."""
    with backstage() as client:
        said = client.call("llm.usage", days=days)
    found = said["usage"]
    if as_json:
        print_json(said)
        return
    if not found:
        click.echo("nothing was asked", err=True)
        return
    rows: list[tuple[str, ...]] = [
        ("day", "provider", "model", "asked", "failed", "in", "out", "$")
    ]
    rows += [
        (
            *(each["day"], each["provider"], one_line(each["model"])),
            *(str(each["attempts"]), str(each["failed"])),
            *(_number(each["input_tokens"]), _number(each["output_tokens"]), _cost(each)),
        )
        for each in found
    ]
    print_rows(rows)
    unknown = sum(each["unpriced"] for each in found)
    if unknown:
        click.echo(f"the cost of {unknown} answers is unknown, and not in the sums", err=True)


def _key(adapter: str, variable: str | None) -> str | None:
    """Return the key, or None for an empty line."""
    if variable is not None:
        if not os.environ.get(variable):
            raise Refused(f"{variable} is not set", "export it, or leave --key-env out")
        return os.environ[variable].strip()
    if sys.stdin.isatty():
        key = click.prompt(f"key of {adapter}", hide_input=True, default="", show_default=False)
    else:
        key = sys.stdin.readline()
    return key.strip() or None


def _state(each: dict[str, Any]) -> str:
    if each["until_s"] is None:
        return str(each["state"])
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(each["until_s"]))
    return f"{each['state']} until {until}"


def _yes(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}" if value < 1000 else f"{value:.0f}"


def _cost(each: dict[str, Any]) -> str:
    if each["cost_usd"] is None:
        return UNKNOWN if each["unpriced"] else "0"
    return f"{each['cost_usd']:.4f}" + (" + ?" if each["unpriced"] else "")
