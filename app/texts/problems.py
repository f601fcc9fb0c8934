"""The sentences of refusals by code: what is wrong and what to do."""

PROBLEMS = {
    # Forms of all pages
    # Users, passwords, limits of attempts
    "too_many_attempts": "Слишком много попыток. Попробуйте через {minutes} мин.",
    "too_many_sign_ins": "Сейчас входят слишком многие. Подождите минуту и попробуйте снова.",
    "wrong_credentials": "Почта или пароль не подходят.",
    "wrong_current_password": "Это не ваш нынешний пароль.",
    "password_too_short": "Пароль слишком короткий: нужно не меньше {min} знаков.",
    "password_too_long": "Пароль слишком длинный: не больше {max} знаков.",
    "email_invalid": "Это не похоже на почту. Проверьте адрес: имя@сайт.ру.",
    "email_taken": "Аккаунт с этой почтой уже есть. Войдите.",
    "name_missing": "Напишите имя.",
    "name_invalid": "Имя — до {max} обычных знаков.",
    "timezone_unknown": "Выберите часовой пояс из списка.",
    "plan_unknown": "Нет тарифа «{plan}». Есть: {plans}.",
    "mail_not_configured": "Здесь не настроена почта. Попросите администратора сервиса задать вам новый пароль.",
    # Clips
    # Uploads
    # Publications
    # Due times
    # Connections: what a platform refuses has a code of texts.REASONS
    "field_missing": "Заполните поле «{label}».",
    "platform_not_in_plan": "{platform} доступен на тарифе {plan}. Смените тариф.",
    "too_many_questions": "Мы ещё ждём ответа платформы на прошлые вопросы. Попробуйте через минуту.",
    "consent_stale": "{platform} не подключён: это подключение устарело, уже использовано или начато в другом "
    "браузере. Начните ещё раз: «Подключить {platform}».",
    "consent_denied": "{platform} не подключён: вы не дали доступ. Подключите, когда захотите.",
    "consent_refused": "{platform} не подключён: платформа не приняла запрос. Начните ещё раз.",
    "consent_unavailable": "{platform} не отвечает. Подождите минуту и попробуйте ещё раз.",
}
