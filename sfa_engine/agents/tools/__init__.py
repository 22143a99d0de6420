"""The tools that agents, models and MCP clients call; each stands on verbs of the protocol."""
