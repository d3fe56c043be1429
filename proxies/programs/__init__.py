"""Programs of others as candidates: trained in one sandbox, scored in others, judged by us.

May import `nasarena.search` and `nasarena.proxies.sandbox`.
"""
