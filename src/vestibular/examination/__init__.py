"""Asking of the questions and scoring of the answers: the stage `evaluate`.

May import `core`, `modeling`, `tracking` and `scoring`; not `training`, since each edit there would
then repeat every exam.
"""
