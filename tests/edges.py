"""What the edges of the application (web, jobs, cli) do around a service's call."""

from typing import TypeVar

from app.db import commit

Result = TypeVar("Result")


def committed(result: Result) -> Result:
    """What a service has returned, its unit of work committed."""
    commit()
    return result
