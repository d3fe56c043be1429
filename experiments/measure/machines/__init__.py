"""What we claim of many machines, many trials and many runs, measured.

Imports what the other measurements may.
"""
