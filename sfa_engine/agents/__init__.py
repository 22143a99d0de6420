"""Agents: deterministic code decides, a language model words it.

Backstage runs them; they know neither its verbs nor its jobs, and import no SDK of a provider.
Nothing here is imported before an agent, or a verb of ``llm``, is called.
"""
