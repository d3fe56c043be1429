"""What a prompt may show: the view of a run, its text within a token budget, the controls.

Imports `agents.llm` and `nasarena.search` only.
"""
