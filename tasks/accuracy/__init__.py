"""Accuracy of trained networks: data sets, networks, training."""
