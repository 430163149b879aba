"""`python -m experiments.cli` is `bidlab`."""

from experiments.cli import main

main()
