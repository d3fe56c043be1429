"""What scores a pattern: trained models, and synthetic landscapes with a known optimum.

May import `nasarena.search` and nothing else of ours; never asks who proposed a pattern.
"""
