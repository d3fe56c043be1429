"""Spaces whose candidates are code: edits of a script, and whole programs. Imports the files of
`search` alone.
"""
