"""Every operation of the API as its document has it: no fault, no undocumented answer."""

import random
from collections import Counter

import pytest
from api_cases import ROLES, Api
from channel_peer import Place
from engine_process import show
from osc_client import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    port = free_port()
    # Admins name files: the processes work in a folder of the test's own.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("work"))
        with show({}, "none", f"[web]\nport = {port}\n", "--web") as engine:
            yield Api(Place(port, engine.runtime / "data" / "sfa"))
            for process in ("web", "stage", "backstage"):
                assert "Traceback" not in engine.log(process), engine.log(process)


def send_all(api, roles, count, number):
    """Send cases of all operations as some roles; return how often each status came."""
    statuses = Counter()
    wrong = []
    for operation in api.operations:
        for role in roles:
            for mode in api.modes(operation):
                try:
                    statuses.update(api.send(operation, role, mode, count, number))
                except (AssertionError, BaseExceptionGroup) as error:
                    wrong.append(f"{operation.label} as {role}, {mode.value}: {error}")
    assert not wrong, "\n\n".join(wrong)
    return statuses


# One role takes 50 to 70 s beside two busy programs.
@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    "role", [pytest.param(r, marks=[] if r == "admin" else pytest.mark.nightly) for r in ROLES]
)
def test_a_few_cases_of_each_operation_are_answered_as_documented(api, role):
    statuses = send_all(api, [role], 4, 1)
    assert statuses[200] > 50
    assert statuses[422] > 50


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_many_cases_of_each_operation_are_answered_as_documented(api):
    number = random.SystemRandom().randrange(1 << 32)
    print(f"seed {number}")  # pytest shows it if a case fails
    send_all(api, ROLES, 50, number)
