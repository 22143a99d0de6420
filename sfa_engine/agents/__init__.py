"""Agents: deterministic code decides, a language model words it.

Backstage runs them. Tools call verbs by name, as any client does; nothing here imports backstage,
or an SDK of a provider. Nothing here is imported before an agent, or a verb of ``llm``, is called.
"""
