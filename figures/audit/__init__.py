"""The page of an audit: how far a proxy can be trusted.

Imports `figures.plots`, `figures.results` and `figures.stats` only, of the folders of `figures`.
"""
