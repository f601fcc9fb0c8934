"""Checks of EXTRA_CA_FILE: that it is there where a platform needs it, and is still good."""

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app import clock, config, platforms
from app.db import db
from app.models import PlatformConnection
from app.platforms.base import Adapter
from app.services.finding import Finding

_NAME = "EXTRA_CA_FILE"


def examine() -> Iterator[Finding]:
    known: set[str] = set()
    try:
        given = config.certificates_in(current_app.config[_NAME])
        certificates = [x509.load_pem_x509_certificate(pem.encode()) for pem in given]
    except OSError:
        yield Finding(f"{_NAME} не прочесть. Проверьте путь и права.", False)
    except ValueError:
        yield Finding(f"{_NAME}: сертификат испорчен. Скачайте файл заново.", False)
    else:
        for certificate in certificates:
            finding = _examine(certificate, clock.now())
            yield finding
            known |= {_common_name(certificate)} if finding.good else set()
    for adapter in platforms.ADAPTERS.values():
        if adapter.authority and adapter.authority not in known and _calls_the_vendor(adapter):
            yield _missing(adapter)


def _examine(certificate: x509.Certificate, now: datetime) -> Finding:
    name = _common_name(certificate)
    until = f"{certificate.not_valid_after_utc:%d.%m.%Y}"
    if now > certificate.not_valid_after_utc:
        return Finding(f"{_NAME}: срок сертификата «{name}» вышел {until}. Скачайте новый.", False)
    if now < certificate.not_valid_before_utc:
        since = f"{certificate.not_valid_before_utc:%d.%m.%Y}"
        return Finding(f"{_NAME}: сертификат «{name}» действует только с {since}.", False)
    return Finding(f"{_NAME}: верим и «{name}», до {until}.", True)


def _missing(adapter: type[Adapter]) -> Finding:
    """Wrong where the platform is used."""
    root = f"без корневого сертификата «{adapter.authority}» связи с площадкой не будет"
    advice = f"скачайте его (docs/platforms.md) и назовите файл в {_NAME}"
    return Finding(f"{adapter.name}: {root}; {advice}.", False if is_used(adapter.key) else None)


def _calls_the_vendor(adapter: type[Adapter]) -> bool:
    """And not another address, whose certificate is another."""
    own = [one for one in adapter.settings if one.parse is config.web_address]
    return any(current_app.config[one.name] == one.default for one in own)


def is_used(platform: str) -> bool:
    try:
        return bool(db.session.scalar(select(PlatformConnection.id).where(PlatformConnection.platform == platform)))
    except SQLAlchemyError:  # said elsewhere
        return False


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
