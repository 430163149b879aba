"""`python -m experiments.cli` is `bidlab`."""

from experiments.cli import main

if __name__ == "__main__":  # worker processes import this module too
    main()
