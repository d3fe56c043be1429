"""What to ask a language model, one operator a file: build(view) -> messages, parse(reply).

Imports `agents.languages`, `agents.context`, `agents.llm` and `nasarena.search` only.
"""
