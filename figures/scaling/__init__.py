"""Losses at scale: figures of isoFLOP, isoToken and the ladder, and what they say in words.

Imports `figures.report`, `figures.plots`, `figures.results` and `figures.stats`.
"""
