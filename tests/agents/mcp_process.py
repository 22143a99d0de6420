"""An MCP server as `sfa mcp` is one, with tools on the verbs of a real library."""

import asyncio
import sys
from pathlib import Path

from mcp_cases import TOOLS

from sfa_engine.agents.mcp.server import serve
from sfa_engine.agents.tools.tool import USUAL_SCOPES

if __name__ == "__main__":
    print("said by an import", file=sys.stdout)  # must not reach the client
    asyncio.run(serve(TOOLS, Path(sys.argv[1]), USUAL_SCOPES | set(sys.argv[2:])))
