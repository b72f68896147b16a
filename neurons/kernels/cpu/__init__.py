"""The fused C kernels of the CPU: printed, compiled, cached, called."""
