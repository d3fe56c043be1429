"""How making a model ready ends when it cannot be: in one line, and nothing half-made is left."""

from nasarena.search.errors import NasArenaError


class ModelUnavailable(NasArenaError):
    """Weights that cannot be fetched, are not what they should be, or cannot be converted."""
