"""Cookies, response headers and the content security policy."""

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from app.services import sessions
from app.web.access import serves_file

FORM_BYTES = 1 << 20  # all forms but the plain upload are small

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Flask-WTF compares the referrer of a form with the host, over https.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}


def register(app: Flask) -> None:
    secure = app.config["PUBLIC_URL"].startswith("https://")
    prefix = "__Host-" if secure else ""  # a neighbouring host cannot set such a cookie
    app.config.update(
        MAX_CONTENT_LENGTH=FORM_BYTES,
        # The names differ from the sandbox's: cookies do not know ports.
        SESSION_COOKIE_NAME=f"{prefix}vezde_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=sessions.LIFETIME,
        BROWSER_COOKIE_NAME=f"{prefix}vezde_browser",
        # A page may lie open for days; the token ends with its session.
        WTF_CSRF_TIME_LIMIT=None,
    )
    proxies = app.config["TRUSTED_PROXIES"]
    if proxies:
        # Otherwise all clients would have the proxy's address and share its limits.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)
    policy, transport = content_policy(app), strict_transport(app)

    @app.after_request
    def protect(response: Response) -> Response:
        """A blueprint's own headers (media's sandbox) win."""
        for name, value in transport.items():
            response.headers.setdefault(name, value)
        # Small files by the dozen, which policies of pages do not concern; a 404 of them is a page.
        if serves_file() and response.status_code < 400:
            response.headers["X-Content-Type-Options"] = "nosniff"
            return response
        response.vary.update(("Cookie", "HX-Request"))
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy)
        # Unless its view says otherwise: neither a proxy nor the browser of a shared computer keeps it.
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


def strict_transport(app: Flask) -> dict[str, str]:
    """Of every response of an https site."""
    if not app.config["PUBLIC_URL"].startswith("https://"):
        return {}
    # Not `preload`: whoever is on that list does not come off it for months.
    subdomains = "; includeSubDomains" if app.config["HSTS_INCLUDE_SUBDOMAINS"] else ""
    return {"Strict-Transport-Security": f"max-age=31536000{subdomains}"}


def content_policy(app: Flask) -> str:
    # The sandbox's avatars; in production there are no local hosts.
    images = " ".join(["'self'", "https:", *(f"http://{host}" for host in app.config["LOCAL_HOSTS"])])
    # A form that is redirected to a consent page is blocked unless that host is named.
    forms = " ".join(["'self'", *app.config.get("FORM_ACTION_HOSTS", ())])
    return (
        f"default-src 'self'; img-src {images}; object-src 'none'; base-uri 'none'; "
        f"form-action {forms}; frame-ancestors 'none'"
    )
