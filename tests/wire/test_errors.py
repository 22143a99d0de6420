"""An error that travels is the same class at its end, whatever constructs it."""

import pytest

from sfa_engine.backstage.services.errors import Denied, ServiceError
from sfa_engine.errors import (
    MAX_TEXT,
    RETRYABLE,
    DeviceError,
    EngineError,
    FaultError,
    LibraryError,
    MediaError,
    Planned,
    ProtocolError,
    Refused,
    SfaError,
    WorkerError,
)

KINDS = [
    SfaError, Refused, Planned, DeviceError, EngineError, MediaError, WorkerError, LibraryError,
    FaultError, ProtocolError, ServiceError,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_raises_the_class_that_the_server_raised(kind):
    error = SfaError.from_wire(kind("what", "hint").to_wire())
    assert type(error) is kind
    assert (error.code, error.message, error.hint) == (kind.code, "what", "hint")
    assert str(error) == "what; hint"


def test_a_class_without_a_code_travels_as_its_parent():
    assert type(SfaError.from_wire(Denied("no", "", 403).to_wire())) is Refused


def test_an_unknown_code_is_kept():
    error = SfaError.from_wire({"code": "drm", "message": "no"})
    assert (type(error), error.code, error.hint) == (SfaError, "drm", "")
    assert type(SfaError.from_wire({"code": "drm"}, WorkerError)) is WorkerError


def test_an_error_that_was_raised_elsewhere_has_what_its_class_has():
    assert SfaError.from_wire(ServiceError("x", "", 5.0).to_wire()).retry_after_s is None


def test_a_retryable_error_differs_from_a_refusal():
    assert issubclass(LibraryError, RETRYABLE)
    assert not issubclass(Refused, RETRYABLE)
    assert not issubclass(MediaError, RETRYABLE)


def test_a_long_text_is_cut():
    assert len(SfaError("x" * 5000).to_wire()["message"]) == MAX_TEXT
