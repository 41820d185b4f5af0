"""The key that signs sessions: made once, and readable by its owner alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.web.secret import secret_key


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    keys = {secret_key(tmp_path / "web.db"), secret_key(tmp_path / "web.db")}

    [key] = keys
    assert len(key) >= 50
    assert (tmp_path / "web.db.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["web.db.key"]


def test_two_applications_have_two_keys(tmp_path: Path) -> None:
    assert secret_key(tmp_path / "one.db") != secret_key(tmp_path / "other.db")


def test_whoever_asks_at_once_gets_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = {*threads.map(lambda _: secret_key(tmp_path / "web.db"), range(8))}

    assert len(keys) == 1


def test_what_a_killed_process_left_unfinished_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"web.db.key.{os.getpid()}").touch()

    assert len(secret_key(tmp_path / "web.db")) >= 50


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret_key(tmp_path / "web.db")
    (tmp_path / "web.db.key").chmod(0o644)

    with pytest.raises(AttributionError, match=r"can be read by others.*chmod 600"):
        secret_key(tmp_path / "web.db")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(AttributionError, match="Point ATTRIBUTION_WEB_DATABASE to another folder"):
        secret_key(tmp_path / "file" / "web.db")
