"""requirements.lock: the hashes of the versions in constraints.txt."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pinned(text: str) -> dict[str, str]:
    """Versions by normalised name."""
    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def test_the_lock_has_the_constraints_versions_all_but_torchs_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    expected = pinned((ROOT / "constraints.txt").read_text())
    assert expected.pop("torch")
    assert pinned(lock) == expected
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert len(entries) == len(expected) and all("--hash=sha256:" in entry for entry in entries)
