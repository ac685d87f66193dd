"""A language server that runs a tiny edit-sequence model and never offers a state that breaks the file."""

__version__ = "0.1.0"
