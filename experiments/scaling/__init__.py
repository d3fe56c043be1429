"""From winners to scale: one pattern of many finalists, that pattern at larger sizes.

Imports `execution` and `settings` of the experiments, `figures`, `proxies` and `nasarena.search`.
"""
