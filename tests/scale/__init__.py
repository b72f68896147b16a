"""What a run costs beside its cells, and how that grows: `nox -s scale`."""
