"""`python -m neokeep` is the same as `neokeep`."""

from neokeep.cli.main import run

if __name__ == "__main__":
    run()
