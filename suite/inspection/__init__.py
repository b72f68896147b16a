"""What one asks of neurons and backends without a run: listings, kernels, agreement, the check of a file."""
