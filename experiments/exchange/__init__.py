"""Runs in other people's tools: trackers that follow a run, files that they open, and back.

Reads run folders; imports `settings` and `figures` alone, and each tool where it is used.
"""
