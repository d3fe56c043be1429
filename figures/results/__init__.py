"""What the runs of a comparison say: which of them count, tidy tables, anchors, standings.

Imports `figures.stats` only, of the folders of `figures`.
"""
