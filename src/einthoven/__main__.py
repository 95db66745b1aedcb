"""`python -m einthoven` is the command `einthoven`, for systems where scripts are not on the path."""

import sys

from einthoven.cli import main

if __name__ == "__main__":
    sys.exit(main())
