"""The arena itself: spaces, trials, budgets, the searcher and proxy contracts, and the one loop.

Imports none of our other folders, no torch and no hydra: whatever asks and whatever scores meets
here only through the protocols in `searcher.py` and `proxy.py`.
"""
