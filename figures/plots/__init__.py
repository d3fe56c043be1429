"""One file per figure, and the style that all of them share.

Imports `figures.results` and `figures.stats` only, of the folders of `figures`.
"""
