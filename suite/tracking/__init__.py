"""Benchmarks that ASV tracks across commits; the workloads are those of the tasks."""
