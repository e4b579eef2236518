"""A revision's results checked: whether they are of what it holds, and come out again.

May import `core`, `clones`, `params`, `scoring`, `selection` and `registry`.
"""
