"""Digests that show whether a record is as it was written. They find damage and edits, not who made them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "digest"


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 over everything but the digest, as JSON with sorted keys; formatting doesn't matter."""
    rest = {name: value for name, value in content.items() if name != DIGEST}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its digest."""
    return {**content, DIGEST: digest_of(content)}


def is_sealed(content: Mapping[str, Any]) -> bool:
    """Whether the content has the digest that :func:`sealed` gave it."""
    return content.get(DIGEST) == digest_of(content)
