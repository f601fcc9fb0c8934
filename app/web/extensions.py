"""Flask extensions of the web, unbound: `create_app()` binds them."""

from flask_login import LoginManager
from flask_wtf import CSRFProtect
from htmx_flask import Htmx

login = LoginManager()
csrf = CSRFProtect()
htmx = Htmx()
