"""Searchers that join a language model with classical machinery.

The one sub-folder that stands on the files of `agents` itself. May import every folder of `agents`
and `nasarena.search`.
"""
