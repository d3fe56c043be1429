"""The six tasks of MAD, written from their published description.

Imports `proxies.data`, `proxies.models` and search only.
"""
