"""The command line, the registries of names, and whole comparisons. May import every folder.

From the ground upwards: `settings` (names and values a user may write), `execution` (doing tasks),
`comparison` and `audit` (what is to be done), `commands` (one file per command), `measure` and
`benchmarks` (what is run on top). `conf` holds the defaults.
"""
