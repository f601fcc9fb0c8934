"""Settings: declared once, read from the environment once, checked, with errors that name a remedy.

The platforms declare theirs beside their adapters (`app.platforms.settings()`); `load()` takes both.
"""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.observability import redact


class BadSettings(Exception):
    """One or more settings cannot be used. The text lists all of them, a line each."""


@dataclass(frozen=True)
class Setting:
    """One environment variable.

    `parse` turns the text into a value and raises ValueError with a Russian sentence.
    A setting without a default (`None`) must be given. `demo` is its value in `make run`, where `{sandbox}` stands
    for the sandbox's address.
    """

    name: str
    default: str | None
    help: str
    parse: Callable[[str], Any] = str
    secret: bool = False
    demo: str | None = None


def number(low: int, high: int, *, optional: bool = False) -> Callable[[str], int | None]:
    def parse(text: str) -> int | None:
        if optional and not text.strip():
            return None
        if not text.strip().isdigit() or not low <= int(text) <= high:
            raise ValueError(f"нужно целое число от {low} до {high}")
        return int(text)

    return parse


def numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() for part in parts):
        raise ValueError("нужны целые числа через запятую")
    return tuple(int(part) for part in parts)


def web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("нужен адрес вида https://example.ru")
    return text.rstrip("/")


def optional_web_address(text: str) -> str:
    return web_address(text) if text.strip() else ""


def database_address(text: str) -> str:
    """PaaS hand out `postgres://`, which SQLAlchemy does not know; psycopg 3 is the driver here."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError("нужен адрес вида postgresql://user:password@host/base или sqlite:///путь")
    if scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg://{rest}"
    if scheme not in ("sqlite", "postgresql+psycopg"):
        raise ValueError("поддерживаются PostgreSQL и SQLite")
    return text


def flag(text: str) -> bool:
    if text.strip().lower() in ("", "0", "no", "false"):
        return False
    if text.strip().lower() in ("1", "yes", "true"):
        return True
    raise ValueError("нужно 1 или 0")


def words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def host_of(address: str) -> str:
    """The host of a web address as browsers send it: lower case, IDNA, IPv6 in brackets; without the port."""
    name = urlsplit(address).hostname or ""
    try:
        return f"[{name}]" if ":" in name else name.encode("idna").decode()
    except UnicodeError:
        return name


def is_loopback(host: str) -> bool:
    """Whether that host is this machine alone."""
    try:
        return host in LOOPBACK_NAMES or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_names(text: str) -> tuple[str, ...]:
    names = words(text)
    if any(set(name) & set("/:@*") for name in names):
        raise ValueError("нужны имена через пробел, без http:// и порта")
    return tuple(host_of(f"//{name}") for name in names)


def secret_key(text: str) -> str:
    if len(text) < 32:
        raise ValueError("нужно не меньше 32 случайных знаков, например openssl rand -hex 32")
    return text


def mail_server(text: str) -> str:
    """`urlsplit` parses the port only on access."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("smtp", "smtps", "smtp+starttls") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if text and not known:
        raise ValueError("нужен адрес вида smtp+starttls://user:password@host:587 (или smtp://, smtps://)")
    return text


def mailbox(text: str) -> str:
    address = parseaddr(text)[1]
    if text.strip() and (not text.isprintable() or not all(address.rpartition("@"))):
        raise ValueError("нужно Имя <адрес@example.ru> или просто адрес")
    return text.strip()


def storage_address(text: str) -> str:
    parts = urlsplit(text)
    options = parse_qs(parts.query)
    if parts.scheme == "file" and len(text) > len("file:"):
        return text
    if parts.scheme == "s3" and parts.netloc and set(options) <= {"endpoint", "region"}:
        for address in options.get("endpoint", ()):
            web_address(address)
        return text
    raise ValueError("нужно file:/папка или s3://бакет?endpoint=https://…&region=…")


def inbox_address(text: str) -> str:
    return storage_address(text.strip()) if text.strip() else ""


_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[\s\w+/=]+-----END CERTIFICATE-----")


def certificates_in(path: str) -> list[str]:
    """Those of a PEM file, whatever stands between them; none where there is no file. Raises OSError."""
    if not path:
        return []
    return [found.decode() for found in _CERTIFICATE.findall(Path(path).read_bytes())]


def certificates_file(text: str) -> str:
    path = text.strip()
    try:
        certificates = certificates_in(path)
        if path and not certificates:
            raise ValueError("в файле нет сертификатов в виде PEM (-----BEGIN CERTIFICATE-----)")
        if certificates:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(certificates))
    except ssl.SSLError:
        raise ValueError("сертификат в файле испорчен: скачайте его заново") from None
    except FileNotFoundError:
        raise ValueError("такого файла нет: проверьте путь") from None
    except OSError:
        raise ValueError("файл не прочесть: проверьте путь и права") from None
    return path


CORE = (
    Setting("DATABASE_URL", None, "База данных: postgresql://… или sqlite:///путь", database_address, secret=True),
    Setting("REDIS_URL", None, "Redis: redis://…, rediss://… или unix:///путь", secret=True),
    Setting("SECRET_KEY", None, "Подпись сеансов, не короче 32 знаков", secret_key, secret=True),
    Setting("PUBLIC_URL", None, "Адрес, по которому приложение видят люди и площадки", web_address),
    Setting("EXTRA_HOSTS", "", "Другие имена, по которым открывают сайт, через пробел; прочим — отказ", host_names),
    Setting("HSTS_INCLUDE_SUBDOMAINS", "", "1 — браузер и к поддоменам PUBLIC_URL пойдёт только по https", flag),
    Setting("VAULT_PUBLIC_KEY", None, "Открытый ключ для токенов; пару делает python -m app.vault"),
    Setting("VAULT_PRIVATE_KEY", "", "Закрытый ключ; только у работников (worker)", secret=True),
    Setting("VAULT_PRIVATE_KEY_FILE", "", "Или файл с ним (последняя строка): его читают только работники"),
    Setting(
        "STORAGE_URL", "file:var/clips", "Где клипы: file:/папка или s3://бакет?endpoint=…&region=…", storage_address
    ),
    Setting("AWS_ACCESS_KEY_ID", "", "Ключ бакета; пусто — роль машины или профиль AWS", secret=True),
    Setting("AWS_SECRET_ACCESS_KEY", "", "Секрет ключа бакета", secret=True),
    Setting("VAR_DIR", "var", "Папка для загрузок, которые ещё идут"),
    Setting("PORT", "8000", "Порт веб-процесса", number(1, 65535)),
    Setting("SANDBOX_PORT", "5050", "Порт песочницы, которую запускает make run", number(1, 65535)),
    Setting("SANDBOX_SMTP_PORT", "", "Порт почты песочницы; пусто — первый свободный", number(1, 65535, optional=True)),
    Setting("MAX_CLIP_MB", "500", "Наибольший размер клипа, МиБ", number(1, 25_000)),
    Setting("WORKERS", "10", "Сколько публикаций идёт одновременно", number(1, 200)),
    Setting("PROBE_WORKERS", "2", "Сколько загруженных клипов проверяют одновременно", number(1, 50)),
    Setting("MEDIA_WORKERS", "1", "Сколько клипов сразу сжимают и переделывают под площадки", number(1, 20)),
    Setting("IMPORT_WORKERS", "2", "Сколько клипов сразу забирают по ссылкам", number(1, 20)),
    Setting(
        "INBOX_URL", "", "Откуда забирать клипы: file:/папка или s3://бакет/папка; пусто — ниоткуда", inbox_address
    ),
    Setting(
        "INBOX_STABLE_SECONDS", "10", "Сколько секунд файл в INBOX_URL не меняется, чтобы его взять", number(1, 3600)
    ),
    Setting(
        "API_REQUESTS_PER_MINUTE", "600", "Сколько запросов в минуту принимать с одним ключом API", number(1, 1_000_000)
    ),
    Setting("LATE_MINUTES", "60", "Насколько позже срока ещё публиковать после простоя, минут", number(1, 10_080)),
    Setting(
        "INCIDENT_ACCOUNTS",
        "3",
        "У скольких аккаунтов подряд площадка должна не сработать, чтобы публикации туда встали на паузу",
        number(2, 1000),
    ),
    Setting("RETRY_SECONDS", "30,120,600", "Паузы перед повторами, секунд", numbers),
    Setting("TRUSTED_PROXIES", "0", "Сколько прокси стоит впереди: по ним узнаём адрес посетителя", number(0, 10)),
    Setting(
        "EXTRA_CA_FILE",
        "",
        "Файл PEM: кому ещё верить, кроме обычных удостоверяющих центров; для MAX — корень Минцифры",
        certificates_file,
    ),
    Setting("METRICS_TOKEN", "", "Пароль к /metrics для Prometheus; пусто — только для администраторов", secret=True),
    Setting("SENTRY_DSN", "", "Куда сообщать об ошибках (Sentry); пусто — никуда", secret=True),
    Setting(
        "SMTP_URL",
        "",
        "Почта: smtp+starttls://user:password@host:587, smtps://… или smtp://…; пусто — письма не шлём",
        mail_server,
        secret=True,
    ),
    Setting("MAIL_FROM", "", "От кого письма: Имя <адрес>; пусто — no-reply на хосте PUBLIC_URL", mailbox),
    Setting("OPERATOR_NAME", "", "Кто обрабатывает персональные данные: имя или организация, для страницы /privacy"),
    Setting("OPERATOR_CONTACT", "", "Куда обращаться по персональным данным: почта или адрес, для страницы /privacy"),
    Setting("LOCAL_HOSTS", "", "Частные адреса (host:port через пробел), куда можно ходить; в бою пусто", words),
    Setting("DEMO", "", "1 — показ на своей машине: тариф меняется кнопкой, есть демо-пользователи", flag),
)


def load(environ: Mapping[str, str], more: Iterable[Setting] = ()) -> dict[str, Any]:
    """Every setting's value by name. Raises BadSettings that names each bad one and what it should be."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in (*CORE, *more):
        text = environ.get(setting.name, setting.default)
        if text is None:
            problems.append(f"{setting.name}: не задано. {setting.help}")
            continue
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            problems.append(f"{setting.name}: {error}")
        if setting.secret:
            redact.hide(text, *text.split(","))
    if values.get("DEMO") and not is_loopback(host_of(values.get("PUBLIC_URL", "//localhost"))):
        problems.append(
            "DEMO: показ не запускается по адресу, который виден не только на этой машине: пароли демо-пользователей "
            "всем известны. Уберите DEMO (DEMO=0) или задайте PUBLIC_URL=http://127.0.0.1:порт"
        )
    if problems:
        raise BadSettings("Настройки не подходят:\n" + "\n".join(f"  {problem}" for problem in problems))
    return values
