"""A run: which cells, where they run, and where their results are kept."""
