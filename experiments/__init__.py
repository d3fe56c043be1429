"""The command line, the registries of names, and whole comparisons. May import every folder."""
