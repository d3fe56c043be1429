"""Doing tasks: worker processes, building and scoring proxies, provenance, the console.

Imports `experiments.settings` only, of the folders of `experiments`.
"""
