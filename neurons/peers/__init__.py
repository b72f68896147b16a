"""The same models as other packages implement them, as backends beside our own.

A peer appears under its own name and only for models that it computes alike; the tests compare it with the reference.
"""
