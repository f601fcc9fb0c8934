"""The MCP server: what an assistant may see of an account, and with permission do. Needs the extra `mcp`."""
