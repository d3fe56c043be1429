"""How candidates are spoken of, a kind of space a file: the words of prompts, and reading replies.

Operators and policies are the same for patterns, lists of edits and programs; what differs stands
here. Imports `agents.context`, `agents.llm` and `nasarena.search` only.
"""
