"""The verifier inside Flask: our own guard, and flask-jwt-extended's public names around it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from flask_jwt_extended import (
    create_access_token,
    current_user,
    decode_token,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    jwt_required,
    verify_jwt_in_request,
)
from werkzeug.test import TestResponse

from booking_api.auth.flask_jwt import install_jwt_manager
from booking_api.auth.keys import FixedKeys
from booking_api.auth.tokens import Identity, KeysUnavailable, TokenRefused
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.cors import Cors
from booking_api.http.flask_app import ApiFlask, ApiRequest
from booking_dev.tokens import DevTokens

ISSUER, AUDIENCE, NOW = "https://issuer.test/", "booking", 1_800_000_000


class NoKeys:
    def key(self, kid: str) -> Any:
        raise KeysUnavailable("nothing yet", retry_after_seconds=3)

    def current(self, kid: str) -> None:
        return None

    def ensure_loaded(self) -> bool:
        return False


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    return DevTokens(tmp_path_factory.mktemp("issuer"), ISSUER, AUDIENCE, clock=lambda: NOW)


@pytest.fixture
def app(issuer: DevTokens) -> Flask:
    return made_app(FixedKeys(issuer.jwks()))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def made_app(keys: Any) -> Flask:
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
    app = ApiFlask("guarded", verifier, Cors(()))
    install_jwt_manager(app, verifier)
    # What the application's own error handlers do, in short.
    app.register_error_handler(TokenRefused, lambda error: ({"refused": True}, 401))
    app.register_error_handler(KeysUnavailable, lambda error: ({"busy": error.retry_after_seconds}, 503))

    def seen() -> dict[str, Any]:
        return {
            "permissions": sorted(current_user.permissions),
            "get_jwt_identity": get_jwt_identity(),
            "current_user": current_user.user_id,
            "iss": get_jwt()["iss"],
            "alg": get_jwt_header()["alg"],
        }

    def by_call() -> dict[str, Any]:
        verify_jwt_in_request()
        return seen()

    def ours(request: ApiRequest, identity: Identity) -> Response:
        assert request.user_id == identity.user_id
        seen_by_the_library = by_call()
        assert current_user == identity
        return jsonify(seen_by_the_library)

    def spoil() -> dict[str, Any]:
        get_jwt()["sub"] = "mallory"
        get_jwt_header()["alg"] = "none"
        return {}

    app.add_guarded("GET", "/ours", "ours", ours)
    app.add_url_rule("/library", "library", jwt_required()(seen))
    app.add_url_rule("/call", "call", by_call)
    app.add_url_rule("/fresh", "fresh", jwt_required(fresh=True)(seen))
    app.add_url_rule("/refresh", "refresh", jwt_required(refresh=True)(seen))
    app.add_url_rule("/cookie", "cookie", jwt_required(locations=["cookies"])(seen), methods=["POST"])
    app.add_url_rule("/spoil", "spoil", jwt_required()(spoil))
    app.add_url_rule("/open", "open", seen)
    return app


def get(client: FlaskClient, path: str, text: str | None) -> TestResponse:
    return client.get(path, headers={} if text is None else {"Authorization": f"Bearer {text}"})


@pytest.mark.parametrize("path", ["/ours", "/library", "/call"])
def test_a_good_token_opens_the_route_and_names_the_user(client: FlaskClient, issuer: DevTokens, path: str) -> None:
    for _ in range(2):
        answer = get(client, path, issuer.sign("auth0|ann", ["booking:admin"]))

        assert answer.status_code == 200
        assert answer.json == {
            "permissions": ["booking:admin"],
            "get_jwt_identity": "auth0|ann",
            "current_user": "auth0|ann",
            "iss": ISSUER,
            "alg": "RS256",
        }


@pytest.mark.parametrize("path", ["/ours", "/library", "/call", "/fresh", "/refresh"])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer a b", "Bearer a.b.c", "Basic YTpi", "Bearer \xe9"])
def test_no_token_or_a_bad_one_is_the_applications_401(client: FlaskClient, path: str, header: str | None) -> None:
    answer = client.get(path, headers={} if header is None else {"Authorization": header})

    assert (answer.status_code, answer.json) == (401, {"refused": True})


@pytest.mark.parametrize("path", ["/ours", "/library", "/call"])
def test_an_expired_token_and_a_strangers_are_the_applications_401(
    client: FlaskClient, issuer: DevTokens, path: str
) -> None:
    for text in (issuer.sign("ann", lifetime_seconds=-31), issuer.sign("ann")[:-8] + "AAAAAAAA"):
        assert get(client, path, text).status_code == 401


@pytest.mark.parametrize("path", ["/fresh", "/refresh"])
def test_what_only_flask_jwt_extended_refuses_is_401_too(client: FlaskClient, issuer: DevTokens, path: str) -> None:
    answer = get(client, path, issuer.sign("ann"))

    assert (answer.status_code, answer.json) == (401, {"refused": True})


def test_a_cookie_is_no_place_for_a_token(client: FlaskClient, issuer: DevTokens) -> None:
    client.set_cookie("access_token_cookie", issuer.sign("ann"))

    assert client.post("/cookie", headers={"X-CSRF-TOKEN": "x"}).status_code == 401
    assert client.get("/ours").status_code == 401
    assert client.get("/library").status_code == 401


@pytest.mark.parametrize("path", ["/ours", "/library"])
def test_without_any_key_it_is_the_applications_503(issuer: DevTokens, path: str) -> None:
    answer = get(made_app(NoKeys()).test_client(), path, issuer.sign("ann"))

    assert (answer.status_code, answer.json) == (503, {"busy": 3})


def test_a_view_that_writes_into_the_claims_changes_nothing_for_the_next_request(
    client: FlaskClient, issuer: DevTokens
) -> None:
    text = issuer.sign("ann")
    assert get(client, "/spoil", text).status_code == 200

    answer = get(client, "/library", text).json

    assert answer is not None
    assert (answer["get_jwt_identity"], answer["current_user"], answer["alg"]) == ("ann", "ann", "RS256")


def test_the_identity_of_an_open_route_is_a_mistake(app: Flask, issuer: DevTokens) -> None:
    app.testing = True
    with pytest.raises(RuntimeError, match="jwt_required"):
        get(app.test_client(), "/open", issuer.sign("ann"))


def test_one_request_does_not_see_the_identity_of_another(app: Flask, issuer: DevTokens) -> None:
    with app.test_request_context(headers={"Authorization": f"Bearer {issuer.sign('ann')}"}):
        verify_jwt_in_request()
        assert current_user == Identity(user_id="ann", permissions=frozenset())
    with app.test_request_context():
        verify_jwt_in_request(optional=True)
        assert not current_user


def test_decode_token_verifies_and_grants_no_exception_for_expired_ones(app: Flask, issuer: DevTokens) -> None:
    with app.app_context():
        assert decode_token(issuer.sign("ann"))["sub"] == "ann"
        with pytest.raises(TokenRefused):
            decode_token(issuer.sign("ann", lifetime_seconds=-31), allow_expired=True)


def test_the_application_cannot_issue_tokens(app: Flask) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="JWT_PRIVATE_KEY"):
        create_access_token("ann")
