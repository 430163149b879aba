"""Sweeps: one scenario under many settings and seeds, each combination (a cell) computed once and kept.

A cell is known by a hash of its resolved scenario and of the program's source, so a stopped sweep goes on where it
stopped and two sweeps share the cells they have in common.
"""
