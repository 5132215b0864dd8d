"""Compiles a model for its release, in the release's own worker, and stores what comes of it."""

from dataclasses import replace

from triune.domain.manifest import CompiledRef, Manifest
from triune.operations.context import Context
from triune.operations.scoring import dataset_of, lay_out_dataset
from triune.ports import Worker


def compile_model(context: Context, worker: Worker, manifest: Manifest) -> Manifest:
    """Have a worker compile its model, tried on the training data, and add that to its manifest.

    Raises
    ------
    ModelError
        It cannot be compiled.
    """
    assert manifest.model is not None
    assert manifest.signature is not None
    train = dataset_of(manifest, "train")
    with context.scratch.folder() as folder:
        source = folder / "train.arrow"
        context.data.export(
            lay_out_dataset(context, train, folder / "train"),
            format=train.format,
            columns=[field.name for field in manifest.signature.inputs],
            destination=source,
        )
        compiled = worker.compile(source)
    ref = CompiledRef(
        format="onnx",
        digest=context.store.put(compiled.content).digest,
        compiled=compiled.compiled,
        python=compiled.python,
    )
    return replace(manifest, model=replace(manifest.model, compiled=ref))
