"""`python -m tnness.cli`."""

from tnness.cli import main

if __name__ == "__main__":
    main()
