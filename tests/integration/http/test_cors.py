"""Pages of other origins: only those that are configured, and nothing at all when none is."""

import pytest

from booking_core.ports import Store
from booking_dev.tokens import DevTokens
from tests.support.api import BOOKINGS, Api, error_of

# No store makes a difference here, so one is enough.
pytestmark = pytest.mark.parametrize("store", ["memory"], indirect=True)

SHOP, OTHER = "https://shop.test", "https://other.test"


@pytest.fixture
def open_api(store: Store, issuer: DevTokens) -> Api:
    return Api(store, issuer, cors_origins=(SHOP, "http://localhost:3000"))


def test_a_preflight_of_a_configured_origin_is_answered_without_a_token(open_api: Api) -> None:
    headers = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}

    answer = open_api.call("OPTIONS", BOOKINGS, user=None, headers=headers)

    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert allowed == {"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Correlation-Id"}
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("user", ["auth0|ann", None])
def test_answers_and_errors_can_be_read_by_a_configured_origin(open_api: Api, user: str | None) -> None:
    answer = open_api.get(f"{BOOKINGS}/my", user=user, headers={"Origin": "http://localhost:3000"})

    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"X-Correlation-Id", "Retry-After"} <= exposed
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", [OTHER, "null", "https://shop.test.evil", "HTTPS://shop.test", ""])
def test_another_origin_gets_no_leave(open_api: Api, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked = open_api.call("OPTIONS", BOOKINGS, user=None, headers=headers)
    read = open_api.get(f"{BOOKINGS}/my", headers={"Origin": origin})

    assert error_of(asked) == (405, "METHOD_NOT_ALLOWED")
    for answer in (asked, read):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Vary"] == "Origin", "or a cache would show this answer to the shop"


def test_options_that_is_no_preflight_is_not_allowed(open_api: Api) -> None:
    assert error_of(open_api.call("OPTIONS", BOOKINGS, headers={"Origin": SHOP})) == (405, "METHOD_NOT_ALLOWED")
    missing = open_api.call("OPTIONS", "/nothing", headers={"Origin": SHOP, "Access-Control-Request-Method": "GET"})
    assert error_of(missing) == (404, "NOT_FOUND")


def test_without_configured_origins_nothing_speaks_of_them(api: Api) -> None:
    headers = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    for answer in (api.get(f"{BOOKINGS}/my", headers=headers), api.call("OPTIONS", BOOKINGS, headers=headers)):
        assert not [name for name, _ in answer.headers if name.startswith(("Access-Control", "Vary"))]
