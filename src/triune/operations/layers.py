"""Runs the checks of the layers, each on what it is about: the work tree, or a stored release."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from triune.domain.evidence import CheckResult, Layer
from triune.domain.manifest import Manifest
from triune.domain.projection import ReleaseRecord
from triune.domain.release import CANDIDATE
from triune.domain.verdict import Reason, Verdict, worst
from triune.operations.checks import Check, run_checks
from triune.operations.code_layer import code_checks
from triune.operations.context import Context
from triune.operations.data_layer import EVERYTHING, DataSelection, data_checks
from triune.operations.gates import look_at_holdout
from triune.operations.integration_layer import integration_checks
from triune.operations.model_layer import model_checks
from triune.operations.project_tests import layer_tests
from triune.operations.releases import find_release, load_manifest
from triune.ports import Predictions, Progress

OF_WORK_TREE = (Layer.CODE, Layer.DATA)
"""The layers that look at the project's files as they are now; the others look at a release."""

RunChecks = Callable[[Sequence[Check], Layer], bool]
"""Runs the checks of a layer and tells whether all passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """What the checks of one layer came to; ``verdict`` is None where none was run."""

    layer: Layer
    results: tuple[CheckResult, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The worst of its checks."""
        return worst(result.verdict for result in self.results) if self.results else None


def report_layers(results: Sequence[CheckResult]) -> tuple[LayerReport, ...]:
    """Part results by their layers, of which all are listed."""
    return tuple(
        LayerReport(
            layer=layer, results=tuple(result for result in results if result.layer is layer)
        )
        for layer in Layer
    )


def check_model(
    context: Context, release: ReleaseRecord, manifest: Manifest, run: RunChecks
) -> bool:
    """Check the model of a release, having reserved its look at the holdout."""
    if manifest.model is None:
        return run((), Layer.MODEL)

    def may_look(predictions: Predictions) -> Reason | None:
        look = look_at_holdout(context, release.id, manifest, predictions)
        return look.refusal if look else None

    checks = model_checks(context, release.id, manifest, may_look=may_look)
    tests = layer_tests(context, Layer.MODEL, environment={CANDIDATE: release.id})
    return run((*checks, *tests), Layer.MODEL)


def check_integration(
    context: Context, release: ReleaseRecord, manifest: Manifest, run: RunChecks
) -> bool:
    """Check a release as the service that it will be, served for as long as that takes."""
    if manifest.model is None:
        return run((), Layer.INTEGRATION)
    with integration_checks(context, release, manifest) as checks:
        return run(checks, Layer.INTEGRATION)


def check_layers(  # noqa: PLR0913 - each says another thing
    context: Context,
    layers: Collection[Layer],
    *,
    release: str,
    force: bool,
    progress: Progress,
    selection: DataSelection = EVERYTHING,
) -> tuple[LayerReport, ...]:
    """Run the checks of some layers, whatever the layers before them come to.

    Parameters
    ----------
    release
        What the layers of the model and of integration look at: an id, a prefix, or ``latest``.
    force
        Whether to run checks again that were run on the same before.
    selection
        What of the data layer to run.

    Raises
    ------
    UnknownReleaseError
        There is no such release.
    UsageError
        The selection names what is not there.
    """
    results: list[CheckResult] = []

    def run(checks: Sequence[Check], _: Layer) -> bool:
        found = run_checks(context, checks, progress=progress, force=force)
        results.extend(found)
        return all(result.verdict is Verdict.PASS for result in found)

    of_work_tree: dict[Layer, Callable[[Context], tuple[Check, ...]]] = {
        Layer.CODE: code_checks,
        Layer.DATA: partial(data_checks, selection=selection),
    }
    wanted = [
        check for layer, make in of_work_tree.items() if layer in layers for check in make(context)
    ]
    # Found before anything is run, which may take long: the name may be wrong.
    found = None if set(layers) <= set(OF_WORK_TREE) else find_release(context, release)
    run(wanted, Layer.CODE)
    if found is not None:
        manifest = load_manifest(context, found)
        if Layer.MODEL in layers:
            check_model(context, found, manifest, run)
        if Layer.INTEGRATION in layers:
            check_integration(context, found, manifest, run)
    return tuple(each for each in report_layers(results) if each.layer in layers)
