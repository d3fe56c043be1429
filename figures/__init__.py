"""Figures, tables and reports, drawn from run folders alone.

May import `nasarena.search` and nothing else of ours; never a searcher, a proxy or torch.
"""
