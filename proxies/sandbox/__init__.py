"""Run a command that nobody trusts: limits, an emptied environment, and one of several fences.

`runner` is the side of the caller, `guardian` a process between the two that owns the clock and
ends everything. Knows nothing of programs or tasks. May import `nasarena.search`.
"""
