"""PatternBench as a proxy: shipped rows and surrogate; numpy only, no training code.

Imports `nasarena.search` and its own siblings only.
"""
