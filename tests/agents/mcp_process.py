"""An MCP server as `sfa mcp` is one, with tools on the verbs of a real library."""

import asyncio
import sys
from pathlib import Path

from sfa_engine.agents.mcp.output import take_output

if __name__ == "__main__":
    output = take_output()
    print("said by an import")  # must not reach the client

    sys.path.insert(0, str(Path(__file__).parent))  # not there where PYTHONSAFEPATH is set
    from mcp_cases import TOOLS

    from sfa_engine.agents.mcp.server import serve
    from sfa_engine.agents.tools.tool import USUAL_SCOPES

    scopes = USUAL_SCOPES | set(sys.argv[2:])
    asyncio.run(serve(TOOLS, Path(sys.argv[1]), scopes, output))
