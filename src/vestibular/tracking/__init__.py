"""What a run leaves beside its results: its log, its measured costs, its checkpoints.

May import `core`.
"""
