"""What a user decides for each video: https://developers.google.com/youtube/v3/docs/videos/insert"""

from dataclasses import dataclass
from typing import Any

from app.platforms.options import Checkbox, Select, Text

MAX_TITLE = 100  # characters
MAX_DESCRIPTION = 5000  # bytes
MAX_TAGS = 500  # characters
FORBIDDEN = "<>"
LANGUAGE = "ru"


@dataclass(frozen=True, kw_only=True)
class Tags(Text):
    """Separated by commas."""

    def count(self, line: str) -> int:
        """As YouTube counts them: with a comma between two, and quotation marks around one that has a space."""
        tags = split_tags(line)
        return sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(len(tags) - 1, 0)


def split_tags(line: str) -> list[str]:
    return list(dict.fromkeys(tag for part in line.split(",") if (tag := part.strip().lstrip("#").strip())))


PRIVACY = Select(
    name="privacy",
    label="Кто увидит",
    choices={"public": "Все", "unlisted": "Все, у кого есть ссылка", "private": "Только вы"},
    required=True,
    default="public",
    remembered=True,
)
OPTIONS = (
    PRIVACY,
    Select(
        name="category",
        label="Категория",
        # videoCategories.list, regionCode=RU: those that a video can be given
        choices={
            "22": "Люди и блоги",
            "24": "Развлечения",
            "23": "Юмор",
            "10": "Музыка",
            "27": "Образование",
            "28": "Наука и техника",
            "26": "Хобби и стиль",
            "20": "Видеоигры",
            "17": "Спорт",
            "19": "Путешествия",
            "15": "Животные",
            "2": "Транспорт",
            "1": "Фильмы и анимация",
            "25": "Новости и политика",
            "29": "Общественная деятельность",
        },
        required=True,
        default="22",
        remembered=True,
    ),
    Tags(
        name="tags",
        label="Теги",
        help="Через запятую. Зрители их не видят.",
        max_length=MAX_TAGS,
        forbidden=FORBIDDEN,
    ),
    Checkbox(
        name="kids",
        label="Видео для детей",
        help="YouTube требует сказать это о каждом видео. Для детей: без комментариев и уведомлений.",
        remembered=True,
    ),
    Checkbox(name="notify", label="Уведомить подписчиков", default=True, bulk_default=False),
    Checkbox(name="ad", label="В клипе есть реклама", help="YouTube покажет зрителям пометку о прямой рекламе."),
    Checkbox(
        name="synthetic",
        label="Снято или изменено нейросетью",
        help="Отметьте, если это можно принять за настоящих людей, места или события.",
    ),
)


def metadata(title: str, description: str, options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By part, as the API takes it."""
    snippet: dict[str, Any] = {
        "title": title,
        "description": description,
        "categoryId": options["category"],
        "defaultLanguage": LANGUAGE,
        "defaultAudioLanguage": LANGUAGE,
    }
    if tags := split_tags(options["tags"]):
        snippet["tags"] = tags
    status: dict[str, Any] = {
        "privacyStatus": options["privacy"],
        "selfDeclaredMadeForKids": options["kids"],
        "license": "youtube",
        "embeddable": True,
    }
    if options["synthetic"]:
        status["containsSyntheticMedia"] = True
    ad = {"paidProductPlacementDetails": {"hasPaidProductPlacement": True}} if options["ad"] else {}
    return {"snippet": snippet, "status": status, **ad}
