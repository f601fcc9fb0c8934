"""The second factor of a test's user: set up as on the page, and the codes that a telephone would show."""

import pyotp

from app import clock
from app.models import User
from app.services import second_factor


def at(key: str, steps: int = 0) -> str:
    """The code of now, or of so many steps later."""
    step = int(clock.now().timestamp()) // second_factor.STEP_SECONDS
    return pyotp.TOTP(key).generate_otp(step + steps)


def set_up(user: User) -> tuple[str, list[str]]:
    """The key and the recovery codes. The code of now is not used up: the set-up takes the one of the step before."""
    second_factor.begin(user)
    key = second_factor.unconfirmed_key(user)
    recovery_codes = second_factor.confirm(user, at(key, -1))
    assert recovery_codes
    return key, recovery_codes
