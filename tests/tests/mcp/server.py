"""A server of the owner's, made with the official Python package: a list of lines in a file.

Usage: server.py PORT FILE TOKEN [DESCRIPTION], or server.py stdio FILE. DESCRIPTION is what it says of its tool `add`.
"""

import pathlib
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

way, file, token = sys.argv[1], pathlib.Path(sys.argv[2]), "".join(sys.argv[3:4])
about = sys.argv[4] if len(sys.argv) > 4 else "Adds a line to the list."
server = MCPServer("notes")


@server.tool(name="search", description="Finds the lines of the list that hold a text.")
def search(text: str) -> str:
    lines = file.read_text().splitlines() if file.exists() else []
    return "\n".join(line for line in lines if text in line) or "no such line"


@server.tool(name="add", description=about)
def add(text: str) -> str:
    with file.open("a") as lines:
        lines.write(text + "\n")
    return f"added: {text}"


if way == "stdio":
    server.run("stdio")
    sys.exit()

inner = server.streamable_http_app()


async def guarded(scope, receive, send):
    headers = dict(scope.get("headers", []))
    if scope["type"] == "http" and headers.get(b"authorization") != b"Bearer " + token.encode():
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"who is there?"})
        return
    await inner(scope, receive, send)


uvicorn.run(guarded, host="127.0.0.1", port=int(way), log_level="warning")
