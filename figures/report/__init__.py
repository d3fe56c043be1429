"""The report of a comparison: verdict, tables, and the page with its explorer.

Imports `figures.plots`, `figures.results` and `figures.stats` only, of the folders of `figures`.
"""
