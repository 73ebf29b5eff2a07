"""`python -m crepitus` is the same program as `crepitus`."""

from crepitus.cli import main

if __name__ == "__main__":
    main()
