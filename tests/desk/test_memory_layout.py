"""The engine's memory is derived from the desk: every control has its place in both views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from sfa_engine.desk import CONTROLS, DESK, Control, Meter, Section
from sfa_engine.engine.layout import (
    READING,
    READING_INDEX,
    READING_PATHS,
    VALUE,
    VALUE_INDEX,
    VALUE_PATHS,
)


def is_value(control: Control) -> bool:
    return control.settable and not control.planned and control.owner == "engine"


def is_reading(control: Control) -> bool:
    return isinstance(control, Meter) and not control.planned and control.owner == "engine"


BOTH = pytest.mark.parametrize(
    ("record", "index", "paths", "keep"),
    [
        (VALUE, VALUE_INDEX, VALUE_PATHS, is_value),
        (READING, READING_INDEX, READING_PATHS, is_reading),
    ],
    ids=["values", "readings"],
)


def fields(
    section: Section, record: np.dtype[np.void], base: int, keep: Callable[[Control], bool]
) -> Iterator[tuple[str, np.dtype[Any], int]]:
    """Yield path, type and byte offset of each control: the desk and the record walked together."""
    for name, _ in section.declared():
        part = getattr(section, name)
        if isinstance(part, Control):
            if keep(part):
                form, offset = record.fields[name][:2]
                yield part.path, form, base + offset
        elif record.fields is not None and name in record.fields:
            form, offset = record.fields[name][:2]
            if isinstance(part, Section):
                yield from fields(part, form, base + offset, keep)
            else:
                inner, shape = form.subdtype
                assert shape == (len(part),)
                for number, one in enumerate(part.values()):
                    yield from fields(one, inner, base + offset + number * inner.itemsize, keep)


@BOTH
def test_every_control_lies_at_eight_times_its_index(record, index, paths, keep):
    found = list(fields(DESK, record, 0, keep))
    assert [path for path, _, _ in found] == list(paths)
    assert [form for _, form, _ in found] == [np.dtype("f8")] * len(paths)
    assert [offset for _, _, offset in found] == [8 * index[path] for path in paths]


@BOTH
def test_a_record_holds_its_controls_and_nothing_else(record, index, paths, keep):
    assert list(paths) == [path for path, control in CONTROLS.items() if keep(control)]
    assert record.itemsize == 8 * len(paths) == 8 * len(index)


def test_the_same_control_by_name_and_by_number():
    record = np.arange(len(VALUE_PATHS), dtype="f8").view(VALUE)[0]
    deck = record["deck"][1]
    assert deck["stem"][0]["volume"] == VALUE_INDEX["deck2.stem.vocals.volume"]
    assert deck["hotcue"][7]["position"] == VALUE_INDEX["deck2.hotcue8.position"]
    assert deck["eq"][2]["kill"] == VALUE_INDEX["deck2.eq.high.kill"]
    assert record["master"]["limiter"]["ceiling"] == VALUE_INDEX["master.limiter.ceiling"]


def test_texts_buttons_and_meters_have_no_value():
    for path in ("fx1.slot1.label_a", "deck1.cue", "deck1.level"):
        assert path in CONTROLS
        assert path not in VALUE_INDEX


def test_the_engine_holds_nothing_of_the_stage():
    for path, control in CONTROLS.items():
        if control.owner == "stage":
            assert path not in VALUE_INDEX
            assert path not in READING_INDEX
