"""What can be wrong with a publication on TikTok, or should be known of it: what it is, what to do."""

from app.platforms.tiktok import choices

REASONS = {
    **choices.REASONS,
    "tiktok_cover": (
        "TikTok не принял выбранный кадр обложки",
        "Сейчас у клипа другая: поменяйте её в приложении TikTok.",
    ),
    "tiktok_spam": (
        "TikTok считает действия этого аккаунта подозрительными и не принимает клип",
        "Откройте приложение TikTok, посмотрите, нет ли там предупреждений, и попробуйте позже.",
    ),
    "tiktok_pending": (
        "Во «Входящих» TikTok уже пять клипов за сутки, которые вы не опубликовали: больше он не возьмёт",
        "Опубликуйте или удалите их в приложении TikTok и повторите.",
    ),
    "tiktok_users": (
        "Сегодня через это приложение в TikTok публикует уже предельное число людей",
        "Попробуйте позже: предел считается за сутки.",
    ),
    "tiktok_banned": (
        "TikTok запретил этому аккаунту публиковать",
        "Откройте приложение TikTok: там сказано почему и можно ли это оспорить.",
    ),
    "tiktok_text": (
        "TikTok не принял подпись: в ней есть то, что он считает спамом",
        "Измените название и описание и опубликуйте ещё раз.",
    ),
    "tiktok_privacy": (
        "TikTok больше не даёт этому аккаунту такой выбор в «Кто увидит»",
        "Опубликуйте клип ещё раз и выберите из того, что есть сейчас.",
    ),
    "tiktok_too_long": (
        "Клип длиннее, чем TikTok позволяет этому аккаунту",
        "Сократите клип и опубликуйте снова.",
    ),
    "tiktok_app_version": (
        "TikTok просит обновить его приложение, прежде чем принимать клипы",
        "Обновите приложение TikTok на телефоне, войдите в него и повторите.",
    ),
    "tiktok_unaudited": (
        (
            "TikTok ещё не проверил это приложение. До проверки оно публикует только с «Только вы», только в аккаунты, "
            "которые в этот миг сами закрыты, и не больше чем для пяти человек в сутки"
        ),
        "Сделайте аккаунт закрытым в настройках TikTok, выберите «Только вы» и повторите.",
    ),
    "tiktok_upload": ("Адрес, который TikTok дал для загрузки, больше не действует", "Повторите."),
    # What TikTok finds once it has the file
    "tiktok_internal": ("У TikTok случился сбой, и клип не опубликован", "Повторите позже."),
    "tiktok_format": (
        "TikTok не смог прочесть файл",
        "Сохраните клип как MP4 с видео H.264 и звуком AAC и загрузите заново.",
    ),
    "tiktok_duration": (
        "TikTok не принял клип из-за его длины",
        "Годится от 3 секунд до 10 минут, а у некоторых аккаунтов — меньше. Измените клип и загрузите заново.",
    ),
    "tiktok_frame_rate": (
        "TikTok не принял клип из-за частоты кадров",
        "Годится от 23 до 60 кадров в секунду. Сохраните клип иначе и загрузите заново.",
    ),
    "tiktok_picture_size": (
        "TikTok не принял клип из-за размера кадра",
        "Каждая сторона — от 360 до 4096 точек. Сохраните клип иначе и загрузите заново.",
    ),
    "tiktok_cancelled": ("Публикация отменена в TikTok", "Если клип нужен, повторите."),
    "tiktok_removed": (
        "Доступ к аккаунту отозван, пока TikTok обрабатывал клип",
        "Подключите аккаунт ещё раз и повторите.",
    ),
    "tiktok_failed": ("TikTok не опубликовал клип", "Посмотрите причину в приложении TikTok и исправьте клип."),
    # Remarks on what is published
    "tiktok_no_link": (
        "Клип опубликован, а ссылку TikTok даст, когда проверит его: обычно за минуту, иногда за часы",
        "Пока ссылка ведёт в профиль; появится своя — заменим сами.",
    ),
    "tiktok_only_you": ("Клип видите только вы: так вы выбрали", "Открыть его можно в приложении TikTok."),
    "tiktok_not_for_all": (
        "Клип видят не все: так вы выбрали. Ссылки на такие клипы TikTok не даёт",
        "Клип — в профиле.",
    ),
}

# https://developers.tiktok.com/doc/content-posting-api-reference-direct-post (error codes)
CODES = {
    "spam_risk_too_many_posts": "tiktok_too_many_posts",
    "spam_risk_too_many_pending_share": "tiktok_pending",
    "reached_active_user_cap": "tiktok_users",
    "spam_risk_user_banned_from_posting": "tiktok_banned",
    "spam_risk_text": "tiktok_text",
    "privacy_level_option_mismatch": "tiktok_privacy",
    "app_version_check_failed": "tiktok_app_version",
    "unaudited_client_can_only_post_to_private_accounts": "tiktok_unaudited",
}
# https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status (fail reasons)
FAILURES = {
    "file_format_check_failed": "tiktok_format",
    "duration_check_failed": "tiktok_duration",
    "frame_rate_check_failed": "tiktok_frame_rate",
    "picture_size_check_failed": "tiktok_picture_size",
    "publish_cancelled": "tiktok_cancelled",
    "auth_removed": "tiktok_removed",
    **CODES,
}
# Worth another try with the same file.
RETRYABLE = {"internal", "video_pull_failed"}
# Refusals of the creator, not of a clip: no clip can be posted now.
OF_THE_CREATOR = {"tiktok_too_many_posts", "tiktok_users", "tiktok_banned", "tiktok_spam", "tiktok_app_version"}


def reason_of(code: str, known: dict[str, str], otherwise: str) -> str:
    return known.get(code) or ("tiktok_spam" if code.startswith("spam_risk") else otherwise)
