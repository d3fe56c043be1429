"""The wire: requests, replies and their record, the client, the server's life, what a model obeys.

Stands below all of `agents`: imports `nasarena.search` and its own siblings only.
"""
