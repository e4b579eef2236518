"""Compares the candidates and chooses one by the rule: the stage `select`.

May import `core` and `scoring`.
"""
