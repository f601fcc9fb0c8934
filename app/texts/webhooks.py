"""Russian for webhooks: the events to choose from, and what became of a delivery."""

# Keys are those of `webhooks.payloads.KINDS`.
KINDS = {
    "clip.ready": "Клип готов",
    "clip.failed": "Клип не подошёл",
    "clip.import_failed": "Клип не загрузился по ссылке",
    "clip.held": "Клип ждёт вашего решения",
    "clip.not_published": "Клип не ушёл на публикацию после загрузки",
    "publication.scheduled": "Публикация запланирована или перенесена",
    "publication.started": "Публикация началась",
    "publication.published": "Опубликовано",
    "publication.failed": "Не опубликовано",
    "publication.unconfirmed": "Неизвестно, дошёл ли клип",
    "publication.awaiting_user": "Публикация ждёт вас",
    "publication.cancelled": "Публикация отменена",
    "publication.restored": "Публикация возвращена",
    "connection.reconnect": "Аккаунт нужно переподключить",
    "webhook.paused": "Другой вебхук остановлен",
}
PING = "Проверка"

STATES = {
    "pending": "Ждёт отправки",
    "sending": "Отправляется",
    "delivered": "Доставлено",
    "failed": "Не доставлено",
}

# Keys are `WebhookDelivery.error`.
ERRORS = {
    "status": "Сервер отказал.",
    "redirect": "Сервер отправил на другой адрес. По переадресации мы не ходим: укажите конечный адрес.",
    "no_name": "Такого адреса нет: имя сервера не находится.",
    "no_connection": "Сервер не принимает соединения.",
    "connect_timeout": "Сервер не принял соединение вовремя.",
    "proxy": "Прокси не отвечает.",
    "timeout": "Сервер не ответил за 15 секунд.",
    "tls": "Защищённое соединение не установилось: проверьте сертификат сервера.",
    "garbled": "Ответ пришёл испорченным.",
    "broken": "Соединение оборвалось, ответа нет.",
    "forbidden_address": "Адрес ведёт в закрытую сеть: туда мы не ходим.",
    "internal": "Сбой на нашей стороне: не удалось подписать событие.",
    "skipped": "Вы решили не отправлять это событие.",
}
