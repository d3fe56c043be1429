"""One page over many folders: what lies in `runs/` and `audits/`, and how two comparisons differ.

Imports `report` (the look of a page) and nothing else of `figures`.
"""
