"""Verbs: methods marked by `verb`, whose annotations are the types of their parameters. Pure.

::

    @verb(scope="perform", slow=True)
    async def deck_eject(self, deck: Deck) -> dict[str, Any]:
        \"\"\"Eject a deck's track.\"\"\"

is ``deck.eject`` on the wire. Its parameters are converted by msgspec, strictly; `Verb.describe`
describes it to clients.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta

from sfa_engine.errors import Forbidden, Refused, did_you_mean
from sfa_engine.wire.frames import UNREADABLE, Raw, quoted, unreadable

Scope = Literal["read", "propose", "prepare", "perform", "library", "admin"]
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))

GIVEN = object()  # marks a parameter that the server sets, not a request: `Annotated[int, GIVEN]`
_MAX = sys.float_info.max
_NO_LIMIT = 1 << 62  # and above: nothing that a caller could mean to exceed
Finite = Annotated[float, Meta(ge=-_MAX, le=_MAX)]
NO_NUL = r"^[^\0]*\Z"
Text = Annotated[str, Meta(max_length=4096, pattern=NO_NUL)]
Texts = Annotated[list[Text], Meta(max_length=10_000)]
Count = Annotated[int, Meta(ge=0, le=_NO_LIMIT)]

Function = TypeVar("Function", bound=Callable[..., Any])
_MAP = msgspec.msgpack.Decoder(dict[str, Raw])
_LIST = msgspec.msgpack.Decoder(list[Raw])
_NOTHING = (b"\xc0", b"\x90")  # nil, an empty list: no parameters


@dataclass(frozen=True)
class Declared:
    """The arguments of `verb` for a method.

    Attributes
    ----------
    scope : Scope
        That a connection needs.
    slow : bool or callable
        Whether it may take long: others are answered meanwhile, and a client may have
        `protocol.MAX_CONCURRENT` of a kind in progress. A function decides by the parameters.
    ordered : bool
        Whether the next request begins only when this one is done, though it waits.
    restricted : mapping
        Parameters that need another scope, such as the path of any file.
    owned : bool
        Whether it looks at the owners of what it shows or changes, for the actor of a request.
    """

    scope: Scope
    slow: bool | Callable[[Mapping[str, Any]], bool] = False
    ordered: bool = False
    restricted: Mapping[str, Scope] = field(default_factory=dict)
    owned: bool = False


def verb(
    scope: Scope,
    *,
    slow: bool | Callable[[Mapping[str, Any]], bool] = False,
    ordered: bool = False,
    restricted: Mapping[str, Scope] | None = None,
    owned: bool = False,
) -> Callable[[Function], Function]:
    """Mark a method as a verb; see `Declared`."""

    def mark(function: Function) -> Function:
        function.__dict__["declared"] = Declared(scope, slow, ordered, restricted or {}, owned)
        return function

    return mark


class Verb:
    """A marked method with its parsed annotations.

    Parameters
    ----------
    name : str
        On the wire.
    function : callable
        Unbound.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.function = function
        self.declared: Declared = function.__dict__["declared"]
        hints = typing.get_type_hints(function, include_extras=True)
        self.types: dict[str, Any] = {}
        self.defaults: dict[str, Any] = {}
        given = set()
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            hint = hints[parameter.name]
            if GIVEN in getattr(hint, "__metadata__", ()):
                given.add(parameter.name)
                continue
            self.types[parameter.name] = _finite(hint)
            if parameter.default is not parameter.empty:
                self.defaults[parameter.name] = parameter.default
        self.given = frozenset(given)
        fields = [
            (each, hint, self.defaults[each]) if each in self.defaults else (each, hint)
            for each, hint in self.types.items()
        ]
        params = msgspec.defstruct(
            "Params", fields, kw_only=True, forbid_unknown_fields=True, gc=False
        )
        self._decoder = msgspec.msgpack.Decoder(params)

    def parse(self, params: Raw) -> dict[str, Any]:
        """Return a request's parameters as keyword arguments.

        Raises
        ------
        Refused
            One is missing, unknown, or of another type; the message names it.
        """
        try:
            return msgspec.structs.asdict(self._decoder.decode(params))
        except UNREADABLE as error:
            body = bytes(params)
            if body in _NOTHING:
                return self.parse(Raw(b"\x80"))
            # A list of one map is valid too; nested lists would be decoded 950 times, for 90 ms.
            if body[:1] == b"\x91" != body[1:2]:
                return self.parse(*_LIST.decode(body))
            self._refuse(body)
            raise unreadable(error) from None  # such as a nested text that is not UTF-8

    def _refuse(self, body: bytes) -> None:
        """Raise an error that names the invalid parameter and what is expected."""
        try:
            given = _MAP.decode(body)
        except msgspec.ValidationError:
            raise Refused(
                f"the params of {self.name} are not a map of names", "send a map"
            ) from None
        except UNREADABLE as error:
            raise unreadable(error) from None
        for name in given:
            if name not in self.types:
                hint = did_you_mean(name, self.types)
                takes = f"it takes {', '.join(self.types) or 'nothing'}"
                raise Refused(f'{self.name} takes no "{name:.60}"', hint or takes)
        for name, hint in self.types.items():
            if name not in given:
                if name not in self.defaults:
                    raise Refused(f"{self.name} needs {name}")
                continue
            try:
                msgspec.msgpack.decode(given[name], type=hint)
            except msgspec.ValidationError:
                expected = msgspec.inspect.type_info(hint)
                near = _near(given[name], expected)
                raise Refused(
                    f"{name} is {quoted(given[name])}", near or f"give {words(expected)}"
                ) from None
            except UNREADABLE as error:
                raise Refused(f"{name} cannot be read", str(unreadable(error))) from None

    def check_scopes(self, granted: frozenset[Scope], params: Mapping[str, Any]) -> None:
        """Refuse a request whose scopes the connection does not have."""
        if self.declared.scope not in granted:
            raise Forbidden(f'{self.name} needs the scope "{self.declared.scope}"', _has(granted))
        for name, scope in self.declared.restricted.items():
            if scope not in granted and params[name] != self.defaults.get(name):
                raise Forbidden(f'{name} of {self.name} needs the scope "{scope}"', _has(granted))

    def is_slow(self, params: Mapping[str, Any]) -> bool:
        """Return whether a request may take long."""
        slow = self.declared.slow
        return slow if isinstance(slow, bool) else slow(params)

    @property
    def sentence(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n\n")[0].replace("\n", " ")

    def params_text(self) -> list[str]:
        """Return each parameter; an optional one with its default, as JSON."""
        return [
            f"{name}={msgspec.json.encode(self.defaults[name]).decode()}"
            if name in self.defaults
            else name
            for name in self.types
        ]

    def describe(self) -> dict[str, Any]:
        """Return the verb's description for clients, with types as JSON Schema."""
        params = []
        for name, hint in self.types.items():
            param = {"name": name, "type": _schema(hint), "required": name not in self.defaults}
            if name in self.defaults:
                param["default"] = msgspec.to_builtins(self.defaults[name])
            if name in self.declared.restricted:
                param["scope"] = self.declared.restricted[name]
            params.append(param)
        return {
            "name": self.name,
            "sentence": self.sentence,
            "scope": self.declared.scope,
            "slow": bool(self.declared.slow),
            "owned": self.declared.owned,
            "params": params,
        }


@dataclass(frozen=True, slots=True)
class Bound:
    """A verb of an object."""

    verb: Verb
    owner: object

    def __call__(self, **arguments: Any) -> Any:
        """Call the verb."""
        return self.verb.function(self.owner, **arguments)


def verbs_of(kind: type) -> Mapping[str, Verb]:
    """Return a class's verbs by their names on the wire: ``deck_load`` is ``deck.load``."""
    if kind not in _VERBS:
        found = {
            name.replace("_", ".", 1): function
            for name, function in inspect.getmembers(kind, inspect.isfunction)
            if "declared" in function.__dict__
        }
        _VERBS[kind] = {name: Verb(name, function) for name, function in found.items()}
    return _VERBS[kind]


_VERBS: dict[type, Mapping[str, Verb]] = {}


def exported(owner: Any) -> dict[str, Bound]:
    """Return an object's verbs by their names on the wire."""
    return {name: Bound(each, owner) for name, each in verbs_of(type(owner)).items()}


def _has(granted: frozenset[Scope]) -> str:
    return f"this connection has {', '.join(sorted(granted)) or 'none'}"


def _finite(hint: Any) -> Any:
    """Return a type whose plain numbers are finite."""
    if hint is float:
        return Finite
    if isinstance(hint, type) or not get_args(hint) or hasattr(hint, "__metadata__"):
        return hint
    origin = typing.get_origin(hint)
    inside = tuple(_finite(each) for each in get_args(hint))
    if origin is Literal or inside == get_args(hint):
        return hint
    return typing.Union[inside] if origin in _UNIONS else origin[inside]  # noqa: UP007


_UNIONS = (typing.Union, type(int | None))


def _schema(hint: Any) -> dict[str, Any]:
    """Return a type as JSON Schema."""
    schema = {} if hint is Any else msgspec.json.schema(hint)
    whole: dict[str, Any] = _whole(schema, schema.pop("$defs", {}))
    return whole


def _whole(schema: Any, named: Mapping[str, Any]) -> Any:
    """Return a schema without references, and without the bounds that only mean finite numbers."""
    if isinstance(schema, list):
        return [_whole(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(named[schema["$ref"].rpartition("/")[2]], named)
    return {
        key: _whole(each, named)
        for key, each in schema.items()
        if key not in {"minimum", "maximum"} or abs(each) < _MAX
    }


def words(expected: Any) -> str:
    """Return the values that a type accepts, in words: ``a whole number from 1 to 2``.

    Parameters
    ----------
    expected : msgspec.inspect.Type
    """
    kinds = msgspec.inspect
    if isinstance(expected, kinds.Metadata):
        described: dict[str, str] = expected.extra_json_schema or {}
        return described.get("description") or words(expected.type)
    if isinstance(expected, kinds.UnionType):
        return " or ".join(dict.fromkeys(words(each) for each in expected.types))
    if isinstance(expected, kinds.LiteralType | kinds.EnumType):
        return f"one of {', '.join(map(str, _options(expected)))}"
    if isinstance(expected, kinds.IntType | kinds.FloatType):
        what = "a whole number" if isinstance(expected, kinds.IntType) else "a number"
        return what + _range(expected.ge, expected.le)
    if isinstance(expected, kinds.StrType):
        return f"a text{_size(expected)}"
    if isinstance(expected, kinds.ListType):
        most = f"at most {expected.max_length} " if expected.max_length else ""
        return f"a list of {most}{_plural(words(expected.item_type))}"
    return _PLAIN.get(type(expected).__name__, "another value")


_PLAIN = {
    "BoolType": "true or false",
    "NoneType": "nothing",
    "AnyType": "anything",
    "DictType": "a map",
    "UUIDType": "a uuid",
    "StructType": "an object",
}


def _plural(what: str) -> str:
    if what.startswith("one of "):
        return f"any of {what.removeprefix('one of ')}"
    noun, space, rest = re.sub(r"^a ", "", what).partition(" of ")
    return f"{noun}s{space}{rest}" if what.startswith("a ") else what


def _range(low: float | None, high: float | None) -> str:
    if low is not None and low > -_MAX and high is not None and high < _NO_LIMIT:
        return f" from {low:.15g} to {high:.15g}"
    if low is not None and low > -_MAX:
        return f" from {low:.15g}"
    return ""


def _size(expected: Any) -> str:
    """Return the limits of a text."""
    least, most = expected.min_length or 0, expected.max_length
    without = " without NUL" if expected.pattern == NO_NUL else ""
    if most is None:
        return without
    return f" of {f'{least} to' if least > 1 else 'at most'} {most} characters{without}"


def _options(expected: Any) -> Iterator[Any]:
    if isinstance(expected, msgspec.inspect.EnumType):
        yield from (each.value for each in expected.cls)
    else:
        yield from expected.values


def _near(part: Raw, expected: Any) -> str:
    """Return ``did you mean "…"?`` for a word that resembles an option."""
    try:
        word = msgspec.msgpack.decode(part)
    except UNREADABLE:
        return ""
    kinds = (msgspec.inspect.LiteralType, msgspec.inspect.EnumType)
    inside = expected.types if isinstance(expected, msgspec.inspect.UnionType) else [expected]
    options = [str(each) for one in inside if isinstance(one, kinds) for each in _options(one)]
    return did_you_mean(word, options) if isinstance(word, str) else ""
