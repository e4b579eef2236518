"""Comparison of the candidates and choice by the rule: the stage `select`.

May import `core` and `scoring`.
"""
