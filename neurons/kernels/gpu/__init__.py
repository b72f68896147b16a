"""The fused Triton kernels of CUDA and ROCm: printed, launched, compiled ahead of time."""
