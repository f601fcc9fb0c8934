"""The HTTP server's edge: gunicorn's threads serve requests, and no slow client can hold them (docs/decisions/0012)."""
