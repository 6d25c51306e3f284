"""Login with Amazon: a refresh token becomes an access token that lives one hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from werkzeug.wrappers import Response

from sandbox.wire import Call, Route, Vendor, open_to_all, reply, unlimited

CLIENT_ID = "amzn1.application-oa2-client.sandbox"
CLIENT_SECRET = "amzn1.oa2-cs.v1.sandbox"
REFRESH_TOKEN = "Atzr|sandbox-refresh"
LIFETIME = timedelta(seconds=3600)


@dataclass
class Logins:
    """Access tokens and when each ends."""

    ends: dict[str, datetime] = field(default_factory=dict)
    refresh_token: str = REFRESH_TOKEN

    def issue(self, now: datetime, lifetime: timedelta = LIFETIME) -> str:
        token = f"Atza|sandbox-{len(self.ends) + 1:06d}"
        self.ends[token] = now + lifetime
        return token

    def valid(self, token: str, now: datetime) -> bool:
        end = self.ends.get(token)
        return end is not None and now < end


def token(call: Call) -> Response:
    """OAuth 2 token endpoint (form or JSON). Errors as in RFC 6749 section 5.2."""
    form = call.json() if call.request.is_json else call.request.form
    if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        return _refused(401, "invalid_client", "Client authentication failed")
    if form.get("grant_type") != "refresh_token":
        return _refused(400, "unsupported_grant_type", "The grant type is not supported")
    logins, quirks = call.world.logins, call.world.quirks
    if form.get("refresh_token") != logins.refresh_token:
        return _refused(400, "invalid_grant", "The request has an invalid grant parameter")
    life = LIFETIME
    if quirks.access_token_s is not None:
        life = timedelta(seconds=quirks.access_token_s)
        quirks.note("access_token_s", len(logins.ends))
    if quirks.rotates_refresh_tokens:
        logins.refresh_token = f"{REFRESH_TOKEN}-{len(logins.ends) + 1}"
        quirks.note("rotates_refresh_tokens", logins.refresh_token)
    return reply(
        {
            "access_token": logins.issue(call.now, life),
            "refresh_token": logins.refresh_token,
            "token_type": "bearer",
            "expires_in": int(LIFETIME.total_seconds()),
        }
    )


def _refused(status: int, error: str, description: str) -> Response:
    return reply({"error": error, "error_description": description}, status)


VENDOR = Vendor(
    name="lwa",
    prefix="/lwa",
    routes=(Route("token", "POST", "/auth/o2/token", token),),
    guard=open_to_all,
    limit=unlimited,
    problem=lambda status, message: _refused(status, "invalid_request", message),
)
