"""Tokens: the permanent API token, and the short-lived access tokens that a client gets for it."""

import base64
import hmac
import json
import time
from http import HTTPStatus
from typing import Any

import jwt
from jwt.types import Options

from neptune_server.errors import RequestError

CLIENT_NAME = "neptune-cli"
REALM = "/auth/realms/neptune"
"""Path below which the client refreshes its access token."""

ALGORITHM = "HS256"
REFRESH_SECONDS = 30 * 24 * 3600
CHECKS: Options = {
    "require": ["exp", "typ"],
    # after the clock was set back, valid tokens would be refused as issued in the future
    "verify_iat": False,
    "verify_aud": False,
}


def api_token(address: str, api_key: str) -> str:
    """Return the value of `NEPTUNE_API_TOKEN`: base64 of JSON that names the server."""
    content = {"api_address": address, "api_url": address, "api_key": api_key}
    return base64.b64encode(json.dumps(content).encode()).decode()


class Tokens:
    """Issues and checks access tokens: JSON Web Tokens signed with HMAC and SHA-256."""

    def __init__(self, address: str, api_key: str, signing_key: str, access_seconds: int) -> None:
        self._issuer = address + REALM
        self._api_key = api_key
        self._signing_key = signing_key
        self._access_seconds = access_seconds

    def exchange(self, token: str) -> dict[str, Any]:
        """Return an access and a refresh token for an API token.

        Raises:
            RequestError: the token is not this server's.
        """
        try:
            shown = json.loads(base64.b64decode(token, validate=True))["api_key"]
        except (ValueError, TypeError, KeyError, RecursionError):
            shown = None
        if not isinstance(shown, str) or not same(shown, self._api_key):
            raise unauthorized("the API token is not this server's")
        return {
            "accessToken": self._issue("access", self._access_seconds),
            "refreshToken": self._issue("refresh", REFRESH_SECONDS),
        }

    def refresh(self, token: str) -> dict[str, Any]:
        """Return a new access token for a refresh token, in the format of RFC 6749.

        Raises:
            RequestError: the token is wrong or has expired.
        """
        self._check(token, "refresh")
        return {
            "access_token": self._issue("access", self._access_seconds),
            "refresh_token": self._issue("refresh", REFRESH_SECONDS),
            "expires_in": self._access_seconds,
            "token_type": "Bearer",
        }

    def check_access(self, authorization: str) -> None:
        """Check a request's `Authorization` header.

        Raises:
            RequestError: the header is missing, or its token is wrong or has expired.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized("an access token is needed")
        self._check(token.strip(), "access")

    def _issue(self, kind: str, seconds: int) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "azp": CLIENT_NAME,
            "typ": kind,
            "iat": now,
            "exp": now + seconds,
        }
        return jwt.encode(claims, self._signing_key, ALGORITHM)

    def _check(self, token: str, kind: str) -> None:
        try:
            claims = jwt.decode(token, self._signing_key, [ALGORITHM], CHECKS)
        except jwt.ExpiredSignatureError:
            expired = "AUTHORIZATION_TOKEN_EXPIRED"
            raise unauthorized("the access token has expired", expired) from None
        except jwt.InvalidTokenError:
            raise unauthorized("the access token is not this server's") from None
        if claims["typ"] != kind:
            raise unauthorized(f"not a token for {kind}")


def unauthorized(title: str, error_type: str | None = None) -> RequestError:
    """Return the refusal of a request with a missing or wrong token."""
    return RequestError(HTTPStatus.UNAUTHORIZED, title, error_type)


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode(errors="replace"), right.encode(errors="replace"))
