"""What a service tells the user when it cannot do what was asked."""


class Problem(Exception):
    """A Russian sentence that says what is wrong and what to do; `field` names the form's field it belongs to."""

    def __init__(self, text: str, field: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.field = field


class NotFound(Exception):
    """There is no such thing, or it is somebody else's: the two look the same."""
