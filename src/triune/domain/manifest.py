"""What a release pins: its code, data, model, tests, runtime and way of serving, by digest.

A manifest is a list of references; the bytes behind them are in the artifact store. Its
canonical JSON is stored as a blob like any other, so the digest of that blob is the release id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from triune.domain.canonical import Json, canonical_json, parse_json, sha256

FORMAT = 1

CLIENT_TIMEOUT_S: Final = 30.0
"""How long a client waits where ``serve.timeout_s`` does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """One file of a tree: its POSIX path inside the tree and the digest of its bytes."""

    path: str
    digest: str
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Files under one root, ordered by path; stored as a blob of canonical JSON."""

    files: tuple[FileRef, ...]

    @classmethod
    def of(cls, files: Iterable[FileRef]) -> Self:
        """Order files by path."""
        return cls(files=tuple(sorted(files, key=lambda file: file.path)))

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what `content` wrote.

        Raises
        ------
        ValueError
            A path leads out of the folder that the tree is laid out in.
        """
        files = tuple(FileRef(**file) for file in parse_json(content)["files"])
        for file in files:
            if file.path.startswith("/") or ".." in file.path.split("/"):
                raise ValueError(f"a tree names the path {file.path!r}, which leads out of it")
        return cls(files=files)

    @property
    def content(self) -> bytes:
        """The canonical JSON that names the tree."""
        return canonical_json(
            {
                "files": [
                    {
                        "path": file.path,
                        "digest": file.digest,
                        "size": file.size,
                        "executable": file.executable,
                    }
                    for file in self.files
                ]
            }
        )

    @property
    def digest(self) -> str:
        """Digest of the tree: 64 hexadecimal digits."""
        return sha256(self.content)

    @property
    def size(self) -> int:
        """Bytes in all files together."""
        return sum(file.size for file in self.files)


class FieldType(StrEnum):
    """What a column may hold, in the words of JSON where it has one."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input of a model, as the training data had it.

    ``type`` is None for a column that held no value at all. ``categories`` keeps the values and
    their order where the column was dictionary-encoded (a pandas categorical), and ``ordered``
    whether that order means anything. ``zone`` is the time zone of moments that have one.
    """

    name: str
    type: FieldType | None
    nullable: bool
    categories: tuple[str, ...] | None = None
    ordered: bool = False
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a model answers: its classes, where it has any, and whether it gives probabilities."""

    classes: tuple[str | int | float | bool, ...] = ()
    probabilities: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs and outputs of a model."""

    inputs: tuple[Field, ...]
    outputs: Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRef:
    """A dataset in the release: how to read it, and the digest of its tree of files."""

    format: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRef:
    """The compiled form of a model: a blob, made of the last steps of its pipeline.

    ``compiled`` names those steps, and ``python`` the ones before them, which the original does;
    with none of these the original is not needed to predict.
    """

    format: str
    digest: str
    compiled: tuple[str, ...]
    python: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all of the model is compiled."""
        return not self.python


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """The model in the release, and how the project says it is to be used.

    A release that has a ``compiled`` form predicts by that.
    """

    format: str
    path: str
    digest: str
    task: str
    target: str
    key: str | None
    time: str | None
    compiled: CompiledRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a release runs on: Python's minor version, the platform tag, the locked packages."""

    python: str
    platform: str
    lock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is pinned. Every digest is that of a blob in the store; trees are blobs too.

    ``drift`` is how the model's inputs were distributed in the training data.
    """

    code: str
    tests: str | None
    datasets: Mapping[str, DatasetRef]
    model: ModelRef | None
    golden: str | None
    signature: Signature | None
    runtime: Runtime
    serve: Mapping[str, Json]
    drift: str | None = None

    @property
    def document(self) -> dict[str, Json]:
        """The manifest as a JSON object."""
        model, signature = self.model, self.signature
        return {
            "format": FORMAT,
            "code": self.code,
            "tests": self.tests,
            "datasets": {
                name: {"format": dataset.format, "digest": dataset.digest}
                for name, dataset in self.datasets.items()
            },
            "model": model
            and {
                "format": model.format,
                "path": model.path,
                "digest": model.digest,
                "task": model.task,
                "target": model.target,
                "key": model.key,
                "time": model.time,
                **({"compiled": _compiled_document(model.compiled)} if model.compiled else {}),
            },
            "golden": self.golden,
            "signature": signature
            and {
                "inputs": [_field_document(field) for field in signature.inputs],
                "outputs": {
                    "classes": list(signature.outputs.classes),
                    "probabilities": signature.outputs.probabilities,
                },
            },
            "runtime": {
                "python": self.runtime.python,
                "platform": self.runtime.platform,
                "lock": self.runtime.lock,
            },
            "serve": dict(self.serve),
            # Left out where there is none, as it was before there was such a thing.
            **({"drift": self.drift} if self.drift else {}),
        }

    @property
    def content(self) -> bytes:
        """The canonical JSON that is stored, and whose digest is the release id."""
        return canonical_json(self.document)

    @property
    def release_id(self) -> str:
        """The id of the release that this manifest makes: 64 hexadecimal digits."""
        return sha256(self.content)

    @property
    def trees(self) -> dict[str, str]:
        """The parts that are lists of files: what each is called, and the digest of its list."""
        return {
            "code": self.code,
            **({"tests": self.tests} if self.tests else {}),
            **{f"data {name}": self.datasets[name].digest for name in sorted(self.datasets)},
            **({"model": self.model.digest} if self.model else {}),
        }

    @property
    def leaves(self) -> dict[str, str]:
        """The parts that are single blobs: what each is called, and its digest."""
        return {
            "runtime lock": self.runtime.lock,
            **({"golden requests": self.golden} if self.golden else {}),
            **({"drift profile": self.drift} if self.drift else {}),
            **(
                {"compiled model": self.model.compiled.digest}
                if self.model and self.model.compiled
                else {}
            ),
        }

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what `content` wrote.

        Raises
        ------
        ValueError
            The bytes are no manifest, or one of a later format.
        """
        document = parse_json(content)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("not a release manifest of a format that this version reads")
        model, signature = document["model"], document["signature"]
        return cls(
            code=document["code"],
            tests=document["tests"],
            datasets={name: DatasetRef(**ref) for name, ref in document["datasets"].items()},
            model=_parse_model(model) if model else None,
            golden=document["golden"],
            signature=_parse_signature(signature) if signature else None,
            runtime=Runtime(**document["runtime"]),
            serve=document["serve"],
            drift=document.get("drift"),
        )


def _compiled_document(compiled: CompiledRef) -> dict[str, Json]:
    return {
        "format": compiled.format,
        "digest": compiled.digest,
        "compiled": list(compiled.compiled),
        "python": list(compiled.python),
    }


def _parse_model(document: dict[str, Json]) -> ModelRef:
    compiled = document.get("compiled")
    return ModelRef(
        **{name: value for name, value in document.items() if name != "compiled"},
        compiled=compiled
        and CompiledRef(
            format=compiled["format"],
            digest=compiled["digest"],
            compiled=tuple(compiled["compiled"]),
            python=tuple(compiled["python"]),
        ),
    )


def _field_document(field: Field) -> dict[str, Json]:
    return {
        "name": field.name,
        "type": field.type,
        "nullable": field.nullable,
        "categories": None if field.categories is None else list(field.categories),
        # What most fields do not have is left out, as it was before there was such a thing.
        **({"ordered": True} if field.ordered else {}),
        **({"zone": field.zone} if field.zone else {}),
    }


def _parse_signature(document: Json) -> Signature:
    return Signature(
        inputs=tuple(
            Field(
                name=field["name"],
                type=field["type"] and FieldType(field["type"]),
                nullable=field["nullable"],
                categories=None if field["categories"] is None else tuple(field["categories"]),
                ordered=field.get("ordered", False),
                zone=field.get("zone"),
            )
            for field in document["inputs"]
        ),
        outputs=Outputs(
            classes=tuple(document["outputs"]["classes"]),
            probabilities=document["outputs"]["probabilities"],
        ),
    )
