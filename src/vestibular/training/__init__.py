"""Fine-tuning of a candidate: the stage `train`.

May import `core`, `modeling` and `tracking`.
"""
