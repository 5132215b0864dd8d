"""Verifies a bundle: nothing in it is executed before every byte is what its manifest says."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from triune.domain.canonical import sha256
from triune.domain.errors import RuntimeMismatchError, TamperedError, WorkerError
from triune.domain.manifest import Manifest, ModelRef, Signature, Tree
from triune.domain.release import (
    BUNDLE_CODE,
    BUNDLE_CODE_TREE,
    BUNDLE_COMPILED,
    BUNDLE_LOCK,
    BUNDLE_MANIFEST,
    BUNDLE_MODEL,
    BUNDLE_MODEL_TREE,
)
from triune.serving.code import SUFFIXES, VerifiedCode
from triune.serving.runtime import describe_mismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """A bundle that is what its manifest says.

    ``code``, ``model_content`` and ``compiled_content`` hold the very bytes that were verified.
    """

    code: VerifiedCode
    model: ModelRef
    model_content: bytes
    compiled_content: bytes | None
    signature: Signature


def verify_bundle(folder: Path, *, manifest_digest: str) -> VerifiedBundle:
    """Check manifest, runtime, code and model, in this order.

    Raises
    ------
    RuntimeMismatchError
        Python, the platform or a locked package differs from what the release was cut with.
    TamperedError
        A file is missing or changed, or there is one that the release does not name.
    WorkerError
        The release cannot be run by this version, or holds no model.
    """
    manifest = _parse(_read(folder / BUNDLE_MANIFEST, digest=manifest_digest))
    if manifest.model is None or manifest.signature is None:
        raise WorkerError("the release holds no model, so there is nothing to run")
    lock = _read(folder / BUNDLE_LOCK, digest=manifest.runtime.lock)
    mismatch = describe_mismatch(manifest.runtime, lock=lock.decode("utf-8-sig"))
    if mismatch:
        raise RuntimeMismatchError(mismatch)
    code = Tree.parse(_read(folder / BUNDLE_CODE_TREE, digest=manifest.code))
    model = Tree.parse(_read(folder / BUNDLE_MODEL_TREE, digest=manifest.model.digest))
    modules = {
        path: content
        for path, content in _verified(folder / BUNDLE_CODE, code)
        if path.endswith(SUFFIXES)
    }
    contents = dict(_verified(folder / BUNDLE_MODEL, model))
    if manifest.model.path not in contents:
        raise TamperedError(
            f"the release names the model {manifest.model.path!r}, which is not among its files; "
            "cut it again with `triune run`"
        )
    compiled = manifest.model.compiled
    return VerifiedBundle(
        code=VerifiedCode(
            folder=folder / BUNDLE_CODE,
            paths=frozenset(file.path for file in code.files),
            modules=modules,
        ),
        model=manifest.model,
        model_content=contents[manifest.model.path],
        compiled_content=(
            None if compiled is None else _read(folder / BUNDLE_COMPILED, digest=compiled.digest)
        ),
        signature=manifest.signature,
    )


def _parse(content: bytes) -> Manifest:
    try:
        return Manifest.parse(content)
    except ValueError as error:
        raise WorkerError(f"{BUNDLE_MANIFEST}: {error}; upgrade Triune") from error


def _verified(root: Path, tree: Tree) -> Iterator[tuple[str, bytes]]:
    """Read the files of a tree one by one, having seen that there are no others."""
    named = {file.path: file.digest for file in tree.files}
    # A module or bytecode that nobody named would be imported like any other.
    foreign = sorted(_files(root) - named.keys())
    if foreign:
        raise TamperedError(
            f"{root.name}/{foreign[0]} is not part of the release; remove it, "
            "or lay the release out anew"
        )
    for path, digest in named.items():
        yield path, _read(root / path, digest=digest)


def _files(root: Path) -> set[str]:
    try:
        return set(_paths(root))
    except OSError as error:
        raise TamperedError(
            f"{root.name}/ of the release cannot be read ({error.strerror}); lay it out anew"
        ) from error


def _paths(root: Path, prefix: str = "") -> Iterator[str]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _paths(root, f"{path}/")
            else:
                yield path


def _read(path: Path, *, digest: str) -> bytes:
    if path.is_symlink():
        raise TamperedError(f"{path.name} is a symbolic link, where a release holds only files")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TamperedError(
            f"{path.name} of the release cannot be read ({error.strerror}); lay it out anew"
        ) from error
    if sha256(content) != digest:
        raise TamperedError(
            f"{path.name} holds other bytes than the release names (sha256 {digest[:12]}...); "
            "look for the damage with `triune release verify`"
        )
    return content
