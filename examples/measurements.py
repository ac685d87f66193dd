"""Statistics of measured values."""


def mean(values):
    """The arithmetic mean."""
