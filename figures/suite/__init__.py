"""A comparison over several landscapes: its results, figures and report.

Imports the other folders of `figures`, but for `audit`.
"""
