"""Pure kernels over arrays: no I/O, no clock, no randomness, no exceptions. Imports numpy and numba only."""
