"""Faults brought about on purpose, and the table of what the user sees: `nox -s faults`."""
