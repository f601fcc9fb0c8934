"""A client of «Везде»: the command `vezde` and an MCP server, on the public HTTP API only."""

__version__ = "1.0.0"
