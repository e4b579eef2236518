"""Reading, audit, splits and leaks of a dataset: the work of the stage `prepare`.

May import `core`, `modeling` and `scoring`.
"""
