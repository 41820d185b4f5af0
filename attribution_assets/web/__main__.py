"""`python -m attribution_assets.web`: Django's commands, such as createsuperuser and changepassword."""

from __future__ import annotations

import sys

from attribution_assets.errors import AttributionError
from attribution_assets.settings import read_settings
from attribution_assets.web.serve import prepare


def main() -> None:
    """Runs a command of Django's over the web application's own file, which is brought up to date first."""
    try:
        prepare(read_settings())
    except AttributionError as error:
        sys.exit(f"Error: {error}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
