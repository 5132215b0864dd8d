"""Reads params.yaml, the one place of every number that is there to be changed."""

from dataclasses import dataclass
from pathlib import Path

import yaml

PARAMS = Path("params.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """How many customers to generate, and from which seed."""

    customers: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Shares of all customers that are held out and that make the production snapshot."""

    holdout: float
    production: float
    salt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What the model is fitted with."""

    model: str
    C: float
    max_iter: int
    trees: int
    folds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The whole of params.yaml."""

    source: str
    generator: Generator
    split: Split
    train: Training


def read_params(path: Path = PARAMS) -> Params:
    """Read the parameters; an unknown or a missing name raises TypeError."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    sections = {"generator": Generator, "split": Split, "train": Training}
    return Params(
        **{
            name: sections[name](**value) if name in sections else value
            for name, value in document.items()
        }
    )
