"""XML of other programs, read as a stream: complete subtrees of a track, one after another.

What is kept of a file is the path to the current element and one subtree, so that 20,000 tracks
cost no more memory than their records. Expat is used directly: ElementTree's parser passes a
document type's entities on and cannot refuse them. Refused are

- entities, internal or external, and with them every entity bomb; a document type without a
  subset of its own, as Apple writes it, is allowed, and never fetched;
- a tag, a text, a subtree, a nesting or a file beyond the limits below.

An XML file that is cut short or damaged is refused with its line. Knows no format.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from sfa_engine.errors import MediaError

MAX_FILE_BYTES = 1 << 30  # of 200,000 tracks, at 2 to 5 kB each
MAX_TAG_BYTES = 1 << 20  # of a tag with its attributes, and of an element's text
MAX_SUBTREE_BYTES = 1 << 24
MAX_SUBTREE = 100_000  # elements: a track with a tempo for each beat has 1,000
MAX_DEPTH = 64  # playlists in folders
MAX_ELEMENTS = 5_000_000  # that are passed on: of 100,000 tracks with playlists, 1,000,000
CHUNK_BYTES = 1 << 16

_AGAIN = "export it again; a copy that was interrupted is not complete"


@dataclass(slots=True)
class Element:
    """An element; its children and text are kept only within a subtree.

    Parameters
    ----------
    tag : str
    attributes : dict of str to str
    children : list of Element
    text : str
        Without the text of children.
    """

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def child(self, tag: str) -> Element:
        """Return the first child of a tag; an empty element if there is none."""
        return next((each for each in self.children if each.tag == tag), Element(tag, {}))


Above = tuple[Element, ...]
IsSubtree = Callable[[list[Element], str], bool]


def walk(
    path: Path, kind: str, root: str, is_subtree: IsSubtree
) -> Iterator[tuple[Above, Element]]:
    """Read a file, element by element. Blocks.

    Parameters
    ----------
    path : pathlib.Path
    kind : str
        Name of the format, for errors.
    root : str
        Tag of the first element.
    is_subtree : callable
        Of the elements above and a tag: whether the element is passed on at its end, with all
        that is in it. Others are passed on at their start.

    Yields
    ------
    tuple of (tuple of Element, Element)
        The elements above, from the root, and the element.

    Raises
    ------
    MediaError
        The file cannot be read, is not XML, is damaged, begins with another element, or is beyond
        the limits.
    """
    parser = _Parser(path.name, kind, root, is_subtree)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise MediaError(f'"{path}" is not a file', f"give the file of a {kind}")
        if state.st_size > MAX_FILE_BYTES:
            raise MediaError(
                f'"{path.name}" has {state.st_size >> 20} MB',
                f"a {kind} of up to {MAX_FILE_BYTES >> 20} MB is read",
            )
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield from parser.feed(chunk)
        yield from parser.feed(b"", is_last=True)
    except OSError as problem:
        raise MediaError(
            f'cannot read "{path}": {problem.strerror or problem}', "check the path and its disk"
        ) from problem


class _Parser:
    """Expat with our limits; collects the elements of a chunk."""

    def __init__(self, name: str, kind: str, root: str, is_subtree: IsSubtree) -> None:
        self._name, self._kind, self._root, self._is_subtree = name, kind, root, is_subtree
        self._above: list[Element] = []
        self._subtree: list[Element] = []  # the path from its top; empty: none is open
        self._begin = self._size = 0  # of the subtree: its first byte, its elements
        self._ready: list[tuple[Above, Element]] = []
        self._passed = 0
        self._silent_bytes = 0  # fed since the parser found anything
        self._expat = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._entity
        parser.DefaultHandler = self._other  # comments, instructions

    def feed(self, chunk: bytes, *, is_last: bool = False) -> list[tuple[Above, Element]]:
        """Return the elements that a chunk completes."""
        self._ready = []
        self._silent_bytes += len(chunk)
        try:
            self._expat.Parse(chunk, is_last)
        except expat.ExpatError as problem:
            raise MediaError(
                f'"{self._name}" is damaged or not a {self._kind}: line {problem.lineno}: '
                f"{expat.ErrorString(problem.code)}",
                _AGAIN,
            ) from problem
        except (LookupError, ValueError) as problem:  # of the codec that its first line names
            raise MediaError(
                f'"{self._name}" names an encoding that cannot be read: {problem}',
                "save it as UTF-8",
            ) from problem
        if self._silent_bytes > MAX_TAG_BYTES:
            raise self._beyond(f"a tag of more than {MAX_TAG_BYTES >> 10} kB")
        return self._ready

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._silent_bytes = 0
        element = Element(tag, attributes)
        if not self._above and not self._subtree and tag != self._root:
            raise MediaError(
                f'"{self._name}" is not a {self._kind}: it begins with <{tag:.40}>',
                f"give a file that begins with <{self._root}>",
            )
        if len(self._above) + len(self._subtree) >= MAX_DEPTH:
            raise self._beyond(f"more than {MAX_DEPTH} elements in each other")
        if self._subtree:
            self._size += 1
            self._check_subtree()
            self._subtree[-1].children.append(element)
            self._subtree.append(element)
        elif self._is_subtree(self._above, tag):
            self._subtree = [element]
            self._begin, self._size = self._expat.CurrentByteIndex, 1
        else:
            self._pass_on(element)
            self._above.append(element)

    def _end(self, _tag: str) -> None:
        self._silent_bytes = 0
        if not self._subtree:
            self._above.pop()
            return
        element = self._subtree.pop()
        if not self._subtree:
            self._pass_on(element)

    def _text(self, text: str) -> None:
        self._silent_bytes = 0
        if self._subtree:
            element = self._subtree[-1]
            if len(element.text) + len(text) > MAX_TAG_BYTES:
                raise self._beyond(f"a text of more than {MAX_TAG_BYTES >> 10} kB")
            element.text += text

    def _doctype(
        self, _name: str, _system: str | None, _public: str | None, has_subset: bool
    ) -> None:
        self._silent_bytes = 0
        if has_subset:
            self._entity()

    def _entity(self, *_declaration: object) -> int:
        raise MediaError(
            f'"{self._name}" defines entities: line {self._expat.CurrentLineNumber}',
            f"no {self._kind} needs them; export it again",
        )

    def _other(self, _text: str) -> None:
        self._silent_bytes = 0

    def _pass_on(self, element: Element) -> None:
        self._passed += 1
        if self._passed > MAX_ELEMENTS:
            raise self._beyond(f"more than {MAX_ELEMENTS} elements")
        self._ready.append((tuple(self._above), element))

    def _check_subtree(self) -> None:
        if self._size > MAX_SUBTREE:
            raise self._beyond(f"more than {MAX_SUBTREE} elements in one")
        if self._expat.CurrentByteIndex - self._begin > MAX_SUBTREE_BYTES:
            raise self._beyond(f"an element of more than {MAX_SUBTREE_BYTES >> 20} MB")

    def _beyond(self, what: str) -> MediaError:
        return MediaError(
            f'"{self._name}" has {what}: line {self._expat.CurrentLineNumber}',
            f"no {self._kind} is like that; export it again",
        )
