"""What a service refuses, by code: one sentence or two that say what is wrong and what to do."""

PROBLEMS = {
    # Forms of all pages
    # Users, passwords, limits of attempts
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
