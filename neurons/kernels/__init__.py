"""Fused kernels from a neuron's one definition: its step is traced, split, differentiated and printed."""
