"""By-products of a run: its log, its measured costs, its checkpoints.

May import `core`.
"""
