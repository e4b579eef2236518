"""Reads a dataset, audits it, splits it and finds leaks: what the stage `prepare` does.

May import `core`, `modeling` and `scoring`.
"""
