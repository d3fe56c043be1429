"""Building PatternBench: the designed sample, its training, the surrogates, the choice of one.

Imports `experiments.execution` and `experiments.settings` only, of the folders of `experiments`.
"""
