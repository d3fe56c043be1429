"""One comparison: its plan, its runs, who enters it, and what its runs share.

Imports `experiments.execution` and `experiments.settings` only, of the folders of `experiments`.
"""
