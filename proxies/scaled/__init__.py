"""Models at scale: one pattern at any size as a plain PyTorch module, and its training.

Imports `models`, `data`, `native` and `training` of the proxies, and `nasarena.search`.
"""
