"""`nasarena scale`: a grid of patterns, sizes, budgets and seeds, trained cell by cell.

Imports `scaling`, `execution` and `settings` of the experiments, `baselines`, `proxies` and
`nasarena.search`.
"""
