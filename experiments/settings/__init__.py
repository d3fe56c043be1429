"""Names and values that a user may write: registries, defaults, overrides, validation, `--help`.

Imports none of the other folders of `experiments`.
"""
