"""Classical searchers, one file each, and the reference patterns.

May import `nasarena.search` and no other folder: a searcher only knows ask and tell.
"""
