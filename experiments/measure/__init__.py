"""What we claim about ourselves, measured: one module per claim, run with `python -m`."""
