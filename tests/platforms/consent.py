"""Consent as any platform's adapter declares it, given at the sandbox's page."""

import re
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import current_app

from app import platforms
from app.models import PlatformConnection, User
from tests.connecting import connect_by_consent


def connect(user: User, platform: str, account: str = "") -> PlatformConnection:
    """A connection to the account that the consent page has chosen beforehand, or to another. Raises Problem."""
    adapter = platforms.adapter(platform, current_app.config)
    oauth = adapter.oauth(current_app.config)
    back = f"{current_app.config['PUBLIC_URL']}/settings/integrations/{platform}/callback"
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    asked = {
        "response_type": "code",
        oauth.client_id_name: oauth.client_id,
        "redirect_uri": back,
        "scope": oauth.scope,
        "state": state,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        **oauth.params,
    }
    page = f"{oauth.authorize_url}?{urlencode(asked)}"
    shown = requests.get(page, timeout=10).text
    account = account or re.search(r'name="account" value="(\w+)" checked', shown)[1]
    allowed = requests.post(page, {"decision": "allow", "account": account}, timeout=10, allow_redirects=False)
    arguments = adapter.callback(dict(parse_qsl(urlsplit(allowed.headers["Location"]).query)))
    return connect_by_consent(user, platform, verifier, back, arguments)
