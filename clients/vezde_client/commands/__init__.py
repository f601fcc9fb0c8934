"""The command line: `vezde …`. One module for each group of commands."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from vezde_client.commands import account, clips, mcp, publications, publish, watch
from vezde_client.commands.parser import EPILOG, Parser, build
from vezde_client.commands.session import Session
from vezde_client.errors import ClientError, Exit
from vezde_client.output import Output

GROUPS = (account, publish, clips, publications, watch, mcp)


def run(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, _stop)
    parser = parser_of_all()
    parsed = parser.parse_args(arguments)
    output = Output(parsed.json, parsed.quiet)
    session = Session(output, parsed.patience)
    try:
        return parsed.handler(session, parsed)
    except ClientError as error:
        output.error(f"vezde: {error.message}")
        if output.as_json:
            output.show({"error": error.as_dict()}, [])
        return error.exit
    except KeyboardInterrupt:
        output.error("Прервано. Та же команда продолжит с этого места.")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # What reads our output has ended. Python would complain once more when it flushes at its end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.REFUSED


def parser_of_all() -> Parser:
    parser, commands = build(EPILOG)
    for group in GROUPS:
        group.add(commands)
    return parser


def _stop(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
