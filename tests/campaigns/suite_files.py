"""Suites, protocols and cards in TOML with mistakes in them: each is taken, or refused with one clear error."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
from faults import FaultKind, Outcome
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import load_suite
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.catalog import read_cards

VALUES = (
    *("0", "-1", "1", "1e400", "nan", "-inf", "99999999999999999999", "true", '""', '"x"', "[]", "[[]]", "{}"),
    *('["psnr", "psnr"]', '"../.."', '"\\u0000"', '"a\\nb"', "2026-01-01", "0x10", '{ height = "x" }', "['']"),
)
"""What stands in for the value of a key."""
PLACES = {"suite": "toklab.bench.suites", "protocol": "toklab.datasets.protocols", "card": "toklab.tokenizers.cards"}


def mutate(text: str, rng: np.random.Generator) -> bytes:
    """A TOML file after one to three mistakes."""
    content = text.encode()
    for _ in range(int(rng.integers(1, 4))):
        lines = content.split(b"\n")
        line = int(rng.integers(0, len(lines)))
        match rng.choice(["value", "value", "value", "key", "drop", "double", "swap", "byte", "cut"]):
            case "value":
                key, equals, _ = lines[line].partition(b"=")
                if equals:
                    lines[line] = key + b"= " + str(rng.choice(VALUES)).encode()
            case "key":
                key, equals, value = lines[line].partition(b"=")
                lines[line] = key[:-2] + b"x " + equals + value
            case "drop":
                del lines[line]
            case "double":
                lines.insert(line, lines[line])
            case "swap":
                other = int(rng.integers(0, len(lines)))
                lines[line], lines[other] = lines[other], lines[line]
            case "byte":
                joined = bytearray(b"\n".join(lines)) or bytearray(b" ")
                joined[int(rng.integers(0, len(joined)))] = int(rng.integers(0, 256))
                lines = bytes(joined).split(b"\n")
            case "cut":
                lines = lines[: line + 1]
        content = b"\n".join(lines)
    return content


class MistakenFile(FaultKind):
    """A shipped TOML file with mistakes is loaded."""

    name = "mistakes in TOML"
    tried = (
        "a shipped suite, protocol or card with wrong values, keys, lines or bytes is loaded, and a suite is planned"
    )
    share = 1800
    per_process = 50

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        kind = str(rng.choice(list(PLACES)))
        files = sorted(
            (f for f in resources.files(PLACES[kind]).iterdir() if f.name.endswith(".toml")), key=lambda f: f.name
        )
        chosen = files[int(rng.integers(0, len(files)))]
        path = scratch / chosen.name
        path.write_bytes(mutate(chosen.read_text(encoding="utf-8"), rng))
        try:
            match kind:
                case "suite":
                    plan_cells(load_suite(str(path)))
                case "protocol":
                    load_protocol(str(path)).windows(40, 30.0, causal=True)
                case _:
                    read_cards(scratch)
        except ValueError as error:
            return Outcome("refused", f"{chosen.name}: {str(error)[:200]}")
        return Outcome("survived", f"{chosen.name} is still a {kind}")
