"""argparse in Russian: its own words are English, and none of its seams translates them."""

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn

from vezde_client import __version__
from vezde_client.api import USUAL_PATIENCE
from vezde_client.errors import Exit

Commands = Any  # argparse keeps the class of its sub-parsers to itself
Handler = Callable[[Any, argparse.Namespace], int]

EPILOG = """\
Коды выхода:
  0  сделано
  1  сервис или площадка отказали
  2  команда набрана неверно
  3  нет входа, или ключу это не разрешено
  4  нет связи или сервис временно не отвечает: повторите ту же команду
  5  --wait: не дождались
  6  из нескольких удалось не всё
"""

_WORDS = (
    (r"the following arguments are required: (.+)", r"не хватает: \1"),
    (r"unrecognized arguments: (.+)", r"лишнее: \1"),
    (r"argument (.+?): invalid choice: (.+) \(choose from (.+)\)", r"\1: \2 не подходит. Есть: \3"),
    (r"argument (.+?): expected one argument", r"\1: нужно значение"),
    (r"argument (.+?): expected at least one argument", r"\1: нужно хотя бы одно значение"),
    (r"argument (.+?): not allowed with argument (.+)", r"\1 и \2 вместе не бывают"),
    (r"argument (.+?): ignored explicit argument (.+)", r"\1: значение здесь не нужно"),
    (r"argument (.+?): invalid (?:port|number|seconds) value: (.+)", r"\1: нужно число, а не \2"),
    (r"one of the arguments (.+) is required", r"нужно одно из: \1"),
    (r"ambiguous option: (.+) could match (.+)", r"\1 — это \2?"),
    (r"argument (.+?): (.+)", r"\1: \2"),
)


class Formatter(argparse.RawDescriptionHelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "Как вызывать: " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    def __init__(self, *values: Any, **more: Any) -> None:
        super().__init__(*values, **{"formatter_class": Formatter, "add_help": False, "allow_abbrev": False, **more})
        self._positionals.title, self._optionals.title = "Что назвать", "Параметры"
        self.add_argument("-h", "--help", action="help", help="показать эту справку")

    def error(self, message: str) -> NoReturn:
        for pattern, russian in _WORDS:
            said, count = re.subn(f"^{pattern}$", russian, message, flags=re.DOTALL)
            if count:
                message = said
                break
        self.exit(Exit.USAGE, f"{self.prog}: {message}\nСправка: {self.prog} --help\n")


def build(epilog: str) -> tuple[Parser, Commands]:
    parser = Parser(prog="vezde", description="Публикует клипы через «Везде».", epilog=epilog)
    parser.add_argument("--version", action="version", version=f"vezde {__version__}", help="показать версию")
    commands = parser.add_subparsers(title="Команды", metavar="КОМАНДА", required=True)
    return parser, commands


def command(commands: Commands, name: str, handler: Handler, about: str, description: str = "") -> Parser:
    """A command with what all of them take."""
    parser: Parser = commands.add_parser(name, help=about, description=description or f"{about[0].upper()}{about[1:]}.")
    usual = parser.add_argument_group("Для всех команд")
    usual.add_argument("--json", action="store_true", help="напечатать результат в JSON")
    usual.add_argument("--quiet", action="store_true", help="не сообщать о ходе работы")
    usual.add_argument(
        "--patience",
        type=seconds,
        default=USUAL_PATIENCE,
        metavar="С",
        help=f"сколько секунд повторять, если сервис не отвечает ({USUAL_PATIENCE:.0f})",
    )
    parser.set_defaults(handler=handler)
    return parser


def add_wait(parser: Parser, what: str) -> None:
    parser.add_argument("--wait", action="store_true", help=what)
    parser.add_argument(
        "--timeout", type=seconds, default=None, metavar="С", help="сколько секунд ждать; без него — пока не закончится"
    )


def add_key(parser: Parser) -> None:
    parser.add_argument(
        "--key",
        metavar="ИМЯ",
        default="",
        help="имя этого дела, своё у каждого (render-2041): повтор с ним и после успеха ничего не делает второй раз",
    )


def add_when(parser: Parser, *, with_now: bool = False) -> None:
    when = parser.add_mutually_exclusive_group(required=with_now)
    if with_now:
        when.add_argument("--now", action="store_true", help="сейчас")
    when.add_argument("--at", metavar="ВРЕМЯ", help="«2026-12-01 10:00» в поясе аккаунта; …T10:00+03:00")
    when.add_argument("--in", dest="after", metavar="СРОК", help="через сколько: 30m, 2h, 1d12h")
    when.add_argument(
        "--slot",
        nargs="?",
        const="",
        metavar="НАБОР",
        help="в ближайший свободный слот набора; без имени — того, что в --set",
    )


def seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"нужно число секунд, а не {text}")
    return value


def port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1 << 16:
        raise argparse.ArgumentTypeError(f"нужен порт, а не {text}")
    return value


def number(text: str) -> int:
    value = int(text)
    if not 0 < value < 1 << 63:
        raise argparse.ArgumentTypeError(f"нужен номер, а не {text}")
    return value
