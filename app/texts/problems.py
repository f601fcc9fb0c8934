"""The sentences of refusals by code: what is wrong and what to do."""

PROBLEMS = {
    # Publication options
    "option_unknown": "Настройки «{name}» у этой платформы нет. Обновите страницу.",
    "option_not_chosen": "Выберите, что указать в настройке «{label}».",
    "option_not_among_choices": "«{label}»: такого варианта нет. Выберите один из списка.",
    "option_not_true_or_false": "«{label}»: ответьте «да» или «нет».",
    "option_not_ticked": "Отметьте «{label}»: без этого платформа не опубликует клип.",
    "option_not_text": "«{label}»: здесь нужен текст.",
    "option_empty": "Заполните «{label}».",
    "option_too_long": "«{label}» длиннее {max} знаков: сократите текст.",
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
    # Connections
}
