"""Cases made from the OpenAPI document by schemathesis, sent over HTTP by users of each role."""

from __future__ import annotations

import itertools

import httpx
import schemathesis
from api_document import until_whole
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from sfa_engine.web.rights import SCOPES_OF

load_all_checks()
ROLES = ("user", "moderator", "admin")
# Not "positive_data_acceptance": 618.0 is an integer of JSON Schema, and msgspec refuses it (its
# option strict=False would also take "618"); and a valid number may be of a track that is not
# there. Not "not_a_server_error": 501 to 503 are documented; 500 is looked for here.
CHECKED = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    ]
)
CASES_OF_ONE = 8  # account: ten are allowed a minute where they are fewest
RECORD = "/api/record/"
TIMEOUT_S = 60.0  # of a request; schemathesis gives up after 10 s, which a busy machine takes
CONFIG = {
    "request-timeout": TIMEOUT_S,
    "generation": {"with-security-parameters": False},  # wrong tokens are tried elsewhere
    "checks": {
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "413", "415", "422", "429", "431"]
        }
    },
}


class Api:
    """The document of a running web process, and users who send cases.

    Each operation and role has accounts of its own, so that no rate is used up.
    """

    def __init__(self, place):
        self.place = place
        self.numbers = itertools.count()
        self.document = until_whole(place.origin)
        config = SchemathesisConfig.from_dict(CONFIG)
        schema = schemathesis.openapi.from_dict(self.document, config=config)
        schema.config.update(base_url=place.origin)
        every = [found.ok() for found in schema.get_all_operations()]
        self.operations = [
            each
            for each in every
            # Those below /auth/ answer a person, with pages.
            if not (self.takes_a_file(each) or each.path.startswith("/auth/"))
        ]

    def token(self, role):
        user = self.place.user(f"{role}{next(self.numbers)}", role)
        return self.place.token(user, SCOPES_OF[role])

    def end_recording(self):
        """End the recording that a case began, which the next one would be refused for.

        hypothesis repeats a case that fails, and calls it flaky if that has another end.
        """
        headers = {"Authorization": f"Bearer {self.token('admin')}"}
        address = f"{self.place.origin}{RECORD}stop"
        ended = httpx.post(address, json={}, headers=headers, timeout=TIMEOUT_S)
        assert ended.status_code in {200, 422}, ended.text

    def takes_a_file(self, operation):
        """Return whether the body is no JSON: of uploads, which have tests of their own."""
        written = self.document["paths"][operation.path][operation.method]
        body = written.get("requestBody")
        return body is not None and "application/json" not in body["content"]

    def modes(self, operation):
        """Return what can be made of an operation: cases that break its document need a part."""
        written = self.document["paths"][operation.path][operation.method]
        in_query = any(each["in"] == "query" for each in written["parameters"])
        has_part = "requestBody" in written or in_query
        return list(GenerationMode) if has_part else [GenerationMode.POSITIVE]

    def send(self, operation, role, mode, count, number):
        """Send cases of an operation; return the statuses of the answers."""
        tokens = [self.token(role) for _ in range(0, count, CASES_OF_ONE)]
        statuses = []

        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case):
            if operation.path == f"{RECORD}start":
                self.end_recording()
            token = tokens[len(statuses) // CASES_OF_ONE % len(tokens)]
            answer = case.call(headers={"Authorization": f"Bearer {token}"})
            statuses.append(answer.status_code)
            assert answer.status_code != 500, f"{case.as_curl_command()}\n{answer.text}"
            case.validate_response(answer, checks=CHECKED)

        run()
        return statuses
