"""Models of scores in plain numpy: what the hybrids and the teacher of the embedded agent fit.

Imports `nasarena.search` alone.
"""
