"""Refusals of a service."""

from app import texts


class Problem(Exception):
    """`code` is a key of PROBLEMS; `params` fill its sentence; `field` names the form's field at fault."""

    def __init__(self, code: str, field: str | None = None, **params: object) -> None:
        super().__init__(code)
        self.code, self.field, self.params = code, field, params

    @property
    def text(self) -> str:
        """The Russian sentence: what is wrong and what to do."""
        return texts.problem(self.code, self.params)


class NotFound(Exception):
    """It does not exist, or belongs to another user: the two are not distinguished."""
