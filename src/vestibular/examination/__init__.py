"""Asks the questions and scores the answers: the stage `evaluate`.

May import `core`, `modeling`, `tracking` and `scoring`; not `training`, whose edits would then
examine every candidate again.
"""
