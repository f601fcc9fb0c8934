"""Russian for clips that come by themselves: where from, how far, and why not."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from app.models import Clip, ClipImport

# What is wrong, what to do.
REASONS: dict[str, tuple[str, str]] = {
    "import_address": ("По этой ссылке не скачать", "Нужна ссылка на файл: она начинается с https://."),
    "import_forbidden_address": (
        "Ссылка ведёт в закрытую сеть",
        "Мы скачиваем только из интернета. Выложите файл там, откуда его может скачать каждый.",
    ),
    "import_insecure_redirect": (
        "Сайт отправляет за файлом по незащищённому адресу",
        "Возьмите прямую ссылку на файл.",
    ),
    "import_redirects": ("Ссылка ведёт по кругу", "Возьмите прямую ссылку на файл."),
    "import_web_page": (
        "Ссылка открывает страницу, а не видео",
        "Нужна прямая ссылка на файл: такая, по которой браузер сразу начинает его скачивать.",
    ),
    "import_not_video": ("Ссылка ведёт не на видео", "Подойдут MP4, MOV, WebM и другие видеофайлы."),
    "import_empty": ("Ссылка ведёт на пустой файл", "Проверьте ссылку."),
    "import_packed": (
        "Сайт отдаёт файл сжатым",
        "Выключите на нём сжатие ответов для видео (Content-Encoding) или выложите файл в другом месте.",
    ),
    "import_too_large": ("Файл больше, чем мы принимаем", "Сожмите видео или сократите его."),
    "import_quota_full": (
        "Файл не помещается в ваш тариф",
        "Удалите ненужные клипы или перейдите на другой тариф и повторите.",
    ),
    "import_denied": (
        "Сайт не отдаёт файл: нужен доступ",
        "Откройте файл для всех или возьмите новую ссылку, если прежняя больше не действует.",
    ),
    "import_not_found": ("Файла там больше нет", "Проверьте, что файл на месте, и возьмите ссылку заново."),
    "import_refused": ("Сайт отказался отдать файл", "Проверьте, что ссылка открывается в браузере, и повторите."),
    "import_unavailable": (
        "Сайт не отдаёт файл",
        "Проверьте, что он работает, и повторите: продолжим с того же места.",
    ),
    "import_busy": ("Сайт просит подождать", "Повторите позже: продолжим с того же места."),
    "import_changed": ("Файл меняется, пока его скачивают", "Дождитесь, когда он будет готов, и повторите."),
    "import_interrupted": ("Загрузка обрывается раз за разом", "Повторите; если не поможет, напишите в поддержку."),
    "import_no_room": ("На сервере временно нет места", "Мы уже знаем об этом. Повторите позже."),
    "inbox_note": ("Описание к клипу не читается", "Клип ждёт в папке: исправьте описание, и он загрузится сам."),
    "inbox_changed": ("Файл в папке меняется раз за разом", "Клип загрузится, когда его перестанут менять."),
    "inbox_unreadable": ("Файл в папке не открывается", "Проверьте права на него: клип загрузится сам."),
    "import_checksum_mismatch": (
        "Файл скачан, но он не тот: SHA-256 не совпал",
        "Проверьте контрольную сумму и сам файл, затем повторите.",
    ),
}

NOTIFICATIONS: dict[str, tuple[str, str]] = {
    "import_failed": ("Клип не загружен: «{title}»", "Откуда: {host}. {reason} {detail}"),
}


def origin(clip: "Clip") -> str:
    """Where a clip came from, for its panel; empty for what was uploaded in the browser."""
    name = clip.source_name or ""
    return {
        "api": f"Пришёл по API, ключ «{name}»" if name else "Пришёл по API",
        "import": f"По ссылке, {name}" if name else "По ссылке",
        "hook": f"Через вебхук «{name}»" if name else "Через вебхук",
        "inbox": f"Из папки «{name}»" if name else "Из папки",
    }.get(clip.source, "")


def import_name(one: "ClipImport") -> str:
    """What a person knows it by: the file's name, by the server or by the address, or the host."""
    name = one.file_name or unquote(urlsplit(one.url).path.rpartition("/")[2])
    return name if name.strip() and name.isprintable() else one.host


def import_state(one: "ClipImport") -> str:
    """«40 %» and what is not as usual."""
    if one.state == "failed":
        return ""
    if one.state == "waiting" and one.reason:
        return "Ждём и попробуем ещё раз: " + REASONS.get(one.reason, ("хранилище не отвечает", ""))[0].lower()
    if one.state == "waiting":
        return "В очереди"
    if (part := percent(one)) is not None:
        return f"Загрузка по ссылке, {part} %"
    return "Загрузка по ссылке"


def percent(one: "ClipImport") -> int | None:
    return 100 * min(one.received, one.size) // one.size if one.size else None
