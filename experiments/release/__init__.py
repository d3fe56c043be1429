"""What is handed to others: distributions that were tried, and a leaderboard of replayed runs.

Imports `comparison`, `execution` and `settings`.
"""
