"""A page of this machine alone, with the curves of a comparison as they grow.

Imports `comparison`, what trackers read from `exchange`, and the look of a page from `figures`.
"""
