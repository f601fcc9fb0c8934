"""What a user decides for each video, and what Rutube offers for it."""

from collections.abc import Mapping
from typing import Any

from app.platforms.errors import Unavailable
from app.platforms.options import AccountOptions, Checkbox, Select

OTHER = "13"  # «Разное», GET /api/video/category/
CATEGORY = Select(
    name="category",
    label="Категория",
    choices={OTHER: "Разное"},  # what is known before Rutube has answered
    asked=True,
    required=True,
    default=OTHER,
    remembered=True,
)
ADULT = Checkbox(name="adult", label="Только для взрослых, 18+")
OPTIONS = (CATEGORY, ADULT)


def account_options(categories: Any) -> AccountOptions:
    """Of `GET /api/video/category/`: a list, or a page of one."""
    if isinstance(categories, dict):
        categories = categories.get("results")
    if not isinstance(categories, list) or not all(isinstance(one, dict) for one in categories):
        raise Unavailable("в ответе Rutube нет списка категорий")
    choices = {str(one["id"]): str(one["name"]) for one in categories if one.get("id") and one.get("name")}
    # «Разное» is what a publication has that says nothing: it stands first.
    return AccountOptions(choices={CATEGORY.name: {OTHER: choices.get(OTHER, CATEGORY.choices[OTHER]), **choices}})


def metadata(options: Mapping[str, Any], category_field: str) -> dict[str, Any]:
    """For a call that creates or changes a video: each has a name of its own for the category.

    `is_adult` is a field that Rutube shows of videos; that it can be set is an assumption.
    """
    return {category_field: int(options[CATEGORY.name])} | ({"is_adult": True} if options[ADULT.name] else {})


def remark(options: Mapping[str, Any], video: Mapping[str, Any]) -> str | None:
    """Where Rutube has not marked the video as it was asked to."""
    return "rutube_adult" if options[ADULT.name] and video.get("is_adult") is not True else None
