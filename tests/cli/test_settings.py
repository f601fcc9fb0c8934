"""docs/operations.md holds the table of settings that the code makes."""

from pathlib import Path

from app.cli import settings

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "operations.md"


def test_the_table_is_what_the_code_declares():
    text = DOCUMENT.read_text()
    assert settings.BEGIN in text
    assert settings.with_table(text) == text, "flask settings write docs/operations.md"


def test_the_command_brings_a_stale_table_up_to_date(app, tmp_path):
    document = tmp_path / "operations.md"
    document.write_text(f"before\n{settings.BEGIN}\nstale\n{settings.END}\nafter\n")
    assert app.test_cli_runner().invoke(args=["settings", "write", str(document)]).exit_code == 0
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "stale" not in text
    assert "`DATABASE_URL` | нужна" in text
