"""What a service refuses, by code: one sentence or two that say what is wrong and what to do."""

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
    # Clips
    # Uploads
    # Publications
    # Due times
    # Connections
}
