"""What tests of imports start from: an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_assets_tests.importing.importing import Imports


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path)
