# The extension of futures and pools, for type checkers.

__version__: str
