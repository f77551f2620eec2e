"""`python -m neokeep` is the same as `neokeep`."""

import sys

from neokeep.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
