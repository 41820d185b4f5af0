"""`python -m attribution_assets.web`: Django's commands, such as createsuperuser and changepassword."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs a command of Django's with the settings of the web application."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "attribution_assets.web.settings"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
