"""Vestibular: an entrance exam for language models."""

__version__ = "0.1.0"
