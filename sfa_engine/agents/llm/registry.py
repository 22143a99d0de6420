"""What is known of models: ``models.toml`` of the package, changed by the user's file.

An unknown model may be asked all the same; its price is unknown then, never 0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from sfa_engine.agents.llm.message import Preference, Usage
from sfa_engine.agents.llm.provider import ADAPTERS
from sfa_engine.errors import Refused, did_you_mean

MAX_BYTES = 1 << 20
MILLION = 1e6
_DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")

Price = Annotated[float, Meta(ge=0, le=10_000)]
Grade = Annotated[int, Meta(ge=1, le=5)]
Tokens = Annotated[int, Meta(ge=1, le=1 << 40)]


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """A model; None is unknown.

    Attributes
    ----------
    provider : str
        Name of an adapter.
    name : str
    context : int, optional
        Tokens of request and answer.
    tools, json : bool, optional
        Whether it calls tools, and answers by a schema.
    input, output, cached, cache_written : float, optional
        US dollars for a million tokens.
    long_from : int, optional
        Tokens of input, above which ``long_input`` and ``long_output`` are the prices.
    long_input, long_output : float, optional
    until : datetime.date, optional
        Last day of the prices.
    quality, speed : int, optional
        1 to 5.
    """

    provider: str
    name: str
    context: Tokens | None = None
    tools: bool | None = None
    json: bool | None = None
    input: Price | None = None
    output: Price | None = None
    cached: Price | None = None
    cache_written: Price | None = None
    long_from: Tokens | None = None
    long_input: Price | None = None
    long_output: Price | None = None
    until: date | None = None
    quality: Grade | None = None
    speed: Grade | None = None

    def prices(self, tokens: int, today: date) -> tuple[float | None, float | None]:
        """Return the prices of input and output for a request of so many tokens."""
        if self.until is not None and today > self.until:
            return None, None
        if self.long_from is not None and tokens > self.long_from:
            return self.long_input, self.long_output
        return self.input, self.output

    def cost_usd(self, usage: Usage, today: date) -> float | None:
        """Return what an answer costs; None if a count or a price is unknown."""
        if usage.input is None or usage.output is None:
            return None
        given, said = self.prices(usage.input, today)
        if given is None or said is None:
            return None
        total = max(0, usage.input - usage.cached - usage.cache_written) * given
        total += usage.output * said
        for tokens, price in (
            (usage.cached, self.cached),
            (usage.cache_written, self.cache_written),
        ):
            if tokens and price is None:
                return None
            total += tokens * (price or 0.0)
        return total / MILLION

    def rank(self, prefer: Preference | None, today: date) -> float:
        """Return the place by a preference, the lowest first; unknown comes last."""
        if prefer is None:
            return 0.0
        if prefer == "cost":
            given, said = self.prices(0, today)
            # A question of agents is about three parts input to one of output.
            return float("inf") if given is None or said is None else 3 * given + said
        grade = self.quality if prefer == "quality" else self.speed
        return float(-(grade or 0))


class Registry:
    """The known models.

    Parameters
    ----------
    models : mapping
        By adapter and name, in the order of the files.
    """

    def __init__(self, models: Mapping[tuple[str, str], Model]) -> None:
        self._models = models

    @classmethod
    def load(cls, user_file: Path | None = None) -> Registry:
        """Return the registry of the package, changed by the user's file if there is one.

        Raises
        ------
        Refused
            The user's file is invalid; the message names it.
        """
        own = files(__package__).joinpath("models.toml").read_text(encoding="utf-8")
        rows = {_key(row): row for row in _rows(own)}
        if user_file is not None:
            for row in _user_rows(user_file):
                key = _key(row)
                rows[key] = {**rows.get(key, {}), **row}
        models = {}
        for key, row in rows.items():
            try:
                models[key] = msgspec.convert(row, Model)
            except msgspec.ValidationError as error:
                raise Refused(
                    f'{user_file}: model "{key[1]:.60}": {error}', "correct it, or leave it out"
                ) from None
        return cls(models)

    def of(self, adapter: str) -> list[Model]:
        """Return the models of an adapter, its usual one first."""
        return [each for each in self._models.values() if each.provider == adapter]

    def find(self, adapter: str, name: str) -> Model:
        """Return what is known of a model, by its name with or without a date."""
        exact = self._models.get((adapter, name))
        plain = self._models.get((adapter, _DATED.sub("", name)))
        return exact or plain or Model(adapter, name)


def _user_rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", "make it readable, or move it away") from None
    if len(content) > MAX_BYTES:
        raise Refused(
            f"{path} has more than {MAX_BYTES >> 20} MB", "keep only tables [[model]] in it"
        )
    try:
        return _rows(content.decode())
    except Refused as error:
        raise Refused(f"{path}: {error.message}", error.hint) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"{path} is not TOML: {error!s:.200}", "correct it") from None


def _rows(text: str) -> list[dict[str, Any]]:
    data = tomllib.loads(text)
    for name in data:
        if name != "model":
            raise Refused(f'no table "{name:.40}"', "write [[model]] above each model")
    rows = data.get("model", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused("model is not a list of tables", "write [[model]] above each model")
    for row in rows:
        provider, name = _key(row)
        if not name:
            raise Refused("a model has no name", 'as name = "my-model"')
        if provider not in ADAPTERS:
            raise Refused(
                f'model "{name:.60}": no provider "{provider:.40}"',
                did_you_mean(provider, ADAPTERS) or f"choose {', '.join(ADAPTERS)}",
            )
        for key in row:
            if key not in Model.__struct_fields__:
                known = did_you_mean(key, Model.__struct_fields__)
                raise Refused(f'model "{name:.60}": no key "{key:.40}"', known)
    return rows


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("provider", "")), str(row.get("name", ""))
