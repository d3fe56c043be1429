"""What to do next, one policy a file: pure functions from the trials so far to an operator.

Imports `nasarena.search` only.
"""
