"""Classical searchers, one file each, and the reference patterns.

May import `nasarena.search` and nothing else of ours; a searcher meets the world as ask and tell.
"""
