"""Statistical models of scores over patterns; imports only the files of `search`."""
