"""Statistics of comparisons: plain arrays in, numbers out, one idea a file.

May import `nasarena.search.seeding` and its own siblings; knows no run folder and no figure.
"""
