"""Vendors' compilers, each a `Compiler` that runs the vendor's own tool: Vela, the Edge TPU compiler, TensorRT."""
