"""A model's words as plain text, and results of tools within their size. Pure.

What a model says is shown as it is: no link or image in it is followed, and none is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sfa_engine.agents.tools.text import clean

MAX_STRING = 400  # characters of a text in a result; tools cut those of strangers to fewer
MAX_PASSES = 8  # over a text from which taking out a link makes another one
_BREAKS = re.compile(r"\r\n|[\r\n\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n{3,}")
_SCHEME = r"(?:mailto|javascript):|tel:\+?\d|file:/|data:[\w/+.-]{0,80}[;,]"
_TAKEN_OUT: tuple[tuple[re.Pattern[str], str], ...] = (
    # ![alt](address) and [text](address), with and without its end, [text][name], <address>, tags.
    (re.compile(r"!?\[([^\]\n]{0,400})\]\([^)\n]{0,4000}\)?"), r"\1"),
    (re.compile(r"!?\[([^\]\n]{0,400})\]\[[^\]\n]{0,400}\]"), r"\1"),
    (re.compile(r"^ {0,3}\[[^\]\n]{1,400}\]:[^\n]*", re.MULTILINE), ""),
    (re.compile(r"</?[a-z!][^>\n]{0,1000}>", re.IGNORECASE), ""),
    (re.compile(rf"\S{{0,64}}://\S*|(?:{_SCHEME})\S*", re.IGNORECASE), ""),
    (re.compile(r"(?:\b|//)www\.\S+|(?<!\w)//[\w-]+\.\S+", re.IGNORECASE), ""),
    (re.compile(r"\b(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}(?::\d+)?[/?]\S*", re.IGNORECASE), ""),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), ""),
    (re.compile(r"\*\*|```\w*|`"), ""),
    (re.compile(r"^#{1,6} +", re.MULTILINE), ""),
)
_SUSPECT = re.compile(r"[\[\]<>()]|\S*[:/@]\S*")


def plain(text: str, limit: int) -> str:
    """Return a model's text without links, images, addresses and characters that are not seen.

    Parameters
    ----------
    text : str
    limit : int
        Characters of the result; what is cut ends with an ellipsis.
    """
    found = text[: 4 * limit]
    for _ in range(MAX_PASSES):
        before = found
        found = "\n".join(clean(line, limit) for line in _BREAKS.split(found))
        for pattern, kept in _TAKEN_OUT:
            found = pattern.sub(kept, found)
        if found == before:
            break
    else:  # links in links in links
        found = _SUSPECT.sub("", found)
    found = _BLANK_LINES.sub("\n\n", found).strip()
    return found if len(found) <= limit else found[: limit - 1].rstrip() + "…"


def harmless(value: Any) -> Any:
    """Return a value of JSON with every text in it cleaned and cut."""
    if isinstance(value, str):
        return clean(value, MAX_STRING)
    if isinstance(value, Mapping):
        return {clean(str(name), MAX_STRING): harmless(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [harmless(each) for each in value]
    return value


def fitted(value: Any, limit: int) -> str:
    """Return an object of JSON as compact text of at most so many bytes.

    The longest list or text in it is halved until it fits; ``cut`` says so.

    Parameters
    ----------
    value : mapping
    limit : int
    """
    found = msgspec.json.encode(value)
    if len(found) <= limit:
        return found.decode()
    shrunk = {**msgspec.json.decode(found), "cut": True}
    while len(found := msgspec.json.encode(shrunk)) > limit:
        if not _halve_longest(shrunk):
            return '{"cut":true}'
    return found.decode()


def _halve_longest(value: Any) -> bool:
    """Halve the longest list or text within a value; return False if there is none."""
    longest: tuple[int, Any, Any] = (0, None, None)
    waiting = [value]
    while waiting:
        inside = waiting.pop()
        for place, each in inside.items() if isinstance(inside, dict) else enumerate(inside):
            if isinstance(each, dict | list):
                waiting.append(each)
            # A list of one thing is not halved, but what is in it.
            if isinstance(each, list | str) and len(each) > 1:
                longest = max(longest, (_size(each), inside, place), key=lambda found: found[0])
    _, inside, place = longest
    if inside is None:
        return False
    inside[place] = inside[place][: len(inside[place]) // 2]
    return True


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
