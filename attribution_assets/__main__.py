"""`python -m attribution_assets`: the `attribution` command, also where its script is not on the PATH."""

from attribution_assets.command.cli import main

if __name__ == "__main__":
    main(prog_name="attribution")
