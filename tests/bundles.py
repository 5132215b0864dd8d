"""Bundles made by hand: a release's folder as `operations.releases` would lay it out."""

import os
import pickle
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triune.domain.canonical import sha256
from triune.domain.manifest import (
    CompiledRef,
    Field,
    FileRef,
    Manifest,
    ModelRef,
    Outputs,
    Runtime,
    Signature,
    Tree,
)

PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ABundle:
    """The folder, and the id of the release in it."""

    folder: Path
    release: str


def a_bundle(
    folder: Path,
    *,
    model: bytes,
    inputs: Sequence[Field],
    code: Mapping[str, str] | None = None,
    model_name: str = "model.joblib",
    format: str = "joblib",
    task: str = "binary",
    outputs: Outputs | None = None,
    lock: str = "",
    python: str = PYTHON,
    platform: str = PLATFORM,
    key: str | None = None,
    time: str | None = None,
    serve: Mapping[str, float] | None = None,
    golden: bytes | None = None,
    compiled: CompiledRef | None = None,
    compiled_content: bytes = b"",
) -> ABundle:
    """Lay a release out; without ``outputs`` it is a draft."""
    code_tree = _write_tree(
        folder, "code", {path: text.encode() for path, text in (code or {}).items()}
    )
    model_tree = _write_tree(folder, "model", {model_name: model})
    (folder / "requirements.lock").write_text(lock)
    manifest = Manifest(
        code=code_tree.digest,
        tests=None,
        datasets={},
        model=ModelRef(
            format=format,
            path=model_name,
            digest=model_tree.digest,
            task=task,
            target="target",
            key=key,
            time=time,
            compiled=compiled,
        ),
        golden=None if golden is None else sha256(golden),
        signature=Signature(inputs=tuple(inputs), outputs=outputs or Outputs()),
        runtime=Runtime(python=python, platform=platform, lock=sha256(lock.encode())),
        serve={"kind": "model", **(serve or {})},
    )
    if golden is not None:
        (folder / "golden.jsonl").write_bytes(golden)
    if compiled is not None:
        (folder / "compiled.onnx").write_bytes(compiled_content)
    (folder / "manifest.json").write_bytes(manifest.content)
    return ABundle(folder=folder, release=manifest.release_id)


def an_instance(class_path: str, code: Mapping[str, str], folder: Path) -> bytes:
    """Pickle ``module:Class()`` of a release's code, as its own training would."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in code.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    module, name = class_path.split(":")
    program = f"import pickle, sys; from {module} import {name}\n"
    program += f"sys.stdout.buffer.write(pickle.dumps({name}()))"
    return subprocess.run(
        [sys.executable, "-B", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "src")])},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def a_call(class_path: str) -> bytes:
    """Write a pickle that makes ``module:Class()`` when it is loaded, without importing it here."""
    module, name = class_path.split(":")
    return f"c{module}\n{name}\n(tR.".encode()


def pickled(value: object) -> bytes:
    """Pickle an object of an installed library."""
    return pickle.dumps(value)


def _write_tree(folder: Path, name: str, files: Mapping[str, bytes]) -> Tree:
    (folder / name).mkdir(parents=True)
    for path, content in files.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_bytes(content)
    tree = Tree.of(
        FileRef(path=path, digest=sha256(content), size=len(content))
        for path, content in files.items()
    )
    (folder / f"{name}.tree").write_bytes(tree.content)
    return tree
