from dataclasses import replace
from typing import Any

import pytest

from triune.domain.canonical import sha256
from triune.domain.manifest import (
    CompiledRef,
    DatasetRef,
    Field,
    FieldType,
    FileRef,
    Manifest,
    ModelRef,
    Outputs,
    Runtime,
    Signature,
    Tree,
)


def a_manifest() -> Manifest:
    return Manifest(
        code=sha256(b"code"),
        tests=sha256(b"tests"),
        datasets={
            "train": DatasetRef(format="parquet", digest=sha256(b"train")),
            "holdout": DatasetRef(format="csv", digest=sha256(b"holdout")),
        },
        model=ModelRef(
            format="joblib",
            path="model.joblib",
            digest=sha256(b"model"),
            task="binary",
            target="churned",
            key="customer_id",
            time=None,
        ),
        golden=sha256(b"golden"),
        signature=Signature(
            inputs=(
                Field(name="tenure", type=FieldType.INTEGER, nullable=False),
                Field(name="region", type=None, nullable=True),
                Field(name="plan", type=FieldType.STRING, nullable=False, categories=("a", "b")),
            ),
            outputs=Outputs(classes=(0, 1), probabilities=True),
        ),
        runtime=Runtime(python="3.11", platform="linux_x86_64", lock=sha256(b"lock")),
        serve={"kind": "model"},
    )


def a_compiled_manifest() -> Manifest:
    manifest = a_manifest()
    assert manifest.model
    compiled = CompiledRef(
        format="onnx", digest=sha256(b"graph"), compiled=("scale", "model"), python=("clean",)
    )
    return replace(manifest, model=replace(manifest.model, compiled=compiled))


@pytest.mark.parametrize("manifest", [a_manifest(), a_compiled_manifest()])
def test_a_manifest_is_read_back_as_it_was_written(manifest: Manifest) -> None:
    assert Manifest.parse(manifest.content) == manifest
    assert Manifest.parse(manifest.content).release_id == manifest.release_id


def test_what_is_compiled_is_a_part_of_the_release_and_its_absence_leaves_no_trace() -> None:
    assert a_compiled_manifest().leaves["compiled model"] == sha256(b"graph")
    assert a_compiled_manifest().release_id != a_manifest().release_id
    assert b"compiled" not in a_manifest().content


@pytest.mark.parametrize(
    "field",
    [
        Field(name="x", type=FieldType.STRING, nullable=True, categories=()),
        Field(name="x", type=FieldType.STRING, nullable=False, categories=("s", "m"), ordered=True),
        Field(name="x", type=FieldType.TIMESTAMP, nullable=False, zone="Europe/Berlin"),
    ],
)
def test_what_few_inputs_have_is_read_back_too(field: Field) -> None:
    manifest = replace(a_manifest(), signature=Signature(inputs=(field,), outputs=Outputs()))

    assert Manifest.parse(manifest.content) == manifest


def test_the_id_is_the_digest_of_the_bytes_that_are_stored() -> None:
    assert a_manifest().release_id == sha256(a_manifest().content)


def test_the_same_inputs_give_the_id_that_they_gave_before() -> None:
    # Changing the format of manifests changes this id, and with it every id in every store.
    assert (
        a_manifest().release_id
        == "2345d41c2c96470aae5c4711aa800125420da1d85ba7c2c777b409927b2bdffd"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"code": sha256(b"other")},
        {"tests": None},
        {"datasets": {}},
        {"model": None},
        {"golden": None},
        {"signature": None},
        {"runtime": Runtime(python="3.12", platform="linux_x86_64", lock=sha256(b"lock"))},
        {"serve": {"kind": "model", "timeout_s": 2}},
    ],
)
def test_whatever_is_pinned_changes_the_id(change: dict[str, Any]) -> None:
    assert replace(a_manifest(), **change).release_id != a_manifest().release_id


def test_a_manifest_of_a_later_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format"):
        Manifest.parse(b'{"format": 2}')


def test_a_tree_does_not_depend_on_the_order_of_its_files() -> None:
    one = FileRef(path="b", digest="1", size=1)
    other = FileRef(path="a", digest="2", size=2, executable=True)

    tree = Tree.of([one, other])

    assert tree == Tree.of([other, one])
    assert Tree.parse(tree.content) == tree
    assert tree.size == 3


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "src/../../outside"])
def test_a_tree_whose_paths_lead_out_of_it_is_refused(path: str) -> None:
    tree = Tree(files=(FileRef(path=path, digest=sha256(b"x"), size=1),))

    with pytest.raises(ValueError, match="leads out of it"):
        Tree.parse(tree.content)
