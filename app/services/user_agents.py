"""A browser's name from its User-Agent, for a person to recognise: «Chrome, Android».

A short list instead of a package: such packages carry thousands of patterns, and what is not listed here is still shown
as a browser. The header says what its sender wants it to say: nothing is decided by it.
"""

# The first that occurs counts: most browsers name those that they descend from as well.
_BROWSERS = (
    *(("YaBrowser", "Яндекс Браузер"), ("EdgA", "Edge"), ("EdgiOS", "Edge"), ("Edg/", "Edge"), ("OPR/", "Opera")),
    *(("SamsungBrowser", "Samsung Internet"), ("Vivaldi", "Vivaldi"), ("FxiOS", "Firefox"), ("Firefox", "Firefox")),
    *(("CriOS", "Chrome"), ("HeadlessChrome", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari")),
    *(("curl", "curl"), ("python-requests", "Программа на Python")),
)
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS")),
    *(("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def describe(user_agent: str) -> str:
    """«Firefox, Windows»; «Неизвестный браузер» where the header names none that is listed."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "Неизвестный браузер")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return f"{browser}, {system}" if system else browser
