"""What a model is trained on: the contract of a task, and text by bytes or tokens.

Imports `nasarena.search` and its own siblings only.
"""
