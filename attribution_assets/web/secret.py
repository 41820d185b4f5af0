"""The key that signs sessions: made once, into a file that its owner alone can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from uuid import uuid4

from attribution_assets.errors import AttributionError


def secret_key(database: Path) -> str:
    """The key beside the web application's database; a new one where there is none yet.

    Raises AttributionError where it cannot be read or made, or where others can read it.
    """
    file = database.with_name(f"{database.name}.key")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _make(file)
        if file.stat().st_mode & 0o077:
            raise AttributionError(f"{file} can be read by others, who could log in as anybody. Run `chmod 600 {file}`.")
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise AttributionError(
            f"{file} cannot be written or read: {error.strerror}. Point ATTRIBUTION_WEB_DATABASE to another folder."
        ) from error


def _make(file: Path) -> None:
    """Writes a new key at once or not at all; of two that do, the first one wins."""
    unfinished = file.with_name(f"{file.name}.{uuid4().hex}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
        opened.write(secrets.token_urlsafe(48))
    try:
        os.link(unfinished, file)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
