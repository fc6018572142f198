"""The official Python client of MCP, driven by an order on standard input; what came of it goes to standard output as JSON.

{"url": ..., "token": ..., "headers": {...}} or {"command": [...]}, and
{"mode": "legacy" | "2026-07-28" | "auto", "elicit": true, "steps": [{"list": true} | {"call": name, "args": {...}}]}.
"""

import asyncio
import json
import sys

import httpx2
import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    order = json.load(sys.stdin)
    asked = []

    async def elicit(_context, params):
        asked.append(params.model_dump(mode="json", by_alias=True, exclude_none=True))
        # As eager as a client can be: nothing of this may count as its owner's word.
        return types.ElicitResult(action="accept", content={"approved": True, "confirm": True, "words": "yes"})

    if "command" in order:
        server = StdioServerParameters(command=order["command"][0], args=order["command"][1:])
    else:
        headers = dict(order.get("headers", {}))
        if order.get("token"):
            headers["Authorization"] = "Bearer " + order["token"]
        server = streamable_http_client(order["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=120))
    client = Client(
        server,
        mode=order.get("mode", "auto"),
        elicitation_callback=elicit if order.get("elicit") else None,
        cache=None,
    )
    done = []
    async with client:
        for step in order["steps"]:
            try:
                if step.get("list"):
                    result = await client.list_tools()
                else:
                    result = await client.call_tool(step["call"], step.get("args", {}))
                done.append(result.model_dump(mode="json", by_alias=True, exclude_none=True))
            except MCPError as error:
                done.append({"error": {"code": error.error.code, "message": error.error.message}})
        version = client.protocol_version
    json.dump({"version": version, "done": done, "asked": asked}, sys.stdout)


asyncio.run(main())
