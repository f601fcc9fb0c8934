"""`vezde mcp`: a server for assistants, see `vezde_client.mcp`."""

from argparse import Namespace
from pathlib import Path

from vezde_client import settings
from vezde_client.commands.parser import Commands, command, port
from vezde_client.commands.session import Session
from vezde_client.errors import Exit, WrongUsage

_ABOUT = """\
Сервер MCP: помощник видит аккаунты, клипы и публикации. Публиковать он может только с --allow-publish, и каждый раз
в два шага: план, затем подтверждение. Нужен пакет: pip install 'vezde-client[mcp]'."""


def add(commands: Commands) -> None:
    parser = command(commands, "mcp", serve, "сервер MCP для помощников", _ABOUT)
    parser.add_argument("--allow-publish", action="store_true", help="разрешить и менять: загружать, публиковать, …")
    parser.add_argument("--folder", metavar="ПАПКА", type=Path, help="откуда можно загружать файлы; без неё — ниоткуда")
    parser.add_argument("--http", action="store_true", help="streamable HTTP вместо stdio; пароль — в VEZDE_MCP_TOKEN")
    parser.add_argument("--host", metavar="АДРЕС", default="127.0.0.1", help="где слушать (127.0.0.1)")
    parser.add_argument("--port", metavar="N", type=port, default=8765, help="порт (8765)")


def serve(session: Session, asked: Namespace) -> int:
    try:
        from vezde_client.mcp import server
    except ImportError as error:
        if error.name and error.name.partition(".")[0] in ("mcp", "uvicorn", "starlette"):
            raise WrongUsage("Нет пакета для MCP. Поставьте: pip install 'vezde-client[mcp]'") from None
        raise
    login = settings.load()
    server.serve(lambda: session.api_of(login), asked, session.output.notice)
    return Exit.OK
