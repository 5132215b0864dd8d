"""A bundle is verified as a whole before anything in it is used."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bundles import ABundle, a_bundle

from triune.domain.errors import RuntimeMismatchError, TamperedError, WorkerError
from triune.domain.manifest import Field, FieldType
from triune.serving.bundle import VerifiedBundle, verify_bundle

INPUTS = (Field(name="x", type=FieldType.NUMBER, nullable=False),)


@pytest.fixture
def bundle(tmp_path: Path) -> ABundle:
    code = {"src/features.py": "A = 1\n", "params.yaml": "a: 1\n"}
    return a_bundle(tmp_path / "bundle", model=b"the model", inputs=INPUTS, code=code)


def verify(bundle: ABundle) -> VerifiedBundle:
    return verify_bundle(bundle.folder, manifest_digest=bundle.release)


def test_a_sound_bundle_gives_the_bytes_that_were_verified(bundle: ABundle) -> None:
    verified = verify(bundle)
    (bundle.folder / "model" / "model.joblib").write_bytes(b"swapped later")
    (bundle.folder / "code" / "src" / "features.py").write_bytes(b"A = 2\n")

    assert verified.model_content == b"the model"
    assert verified.code.folder == bundle.folder / "code"
    assert verified.code.paths == {"src/features.py", "params.yaml"}
    assert verified.code.modules == {"src/features.py": b"A = 1\n"}


def plant(name: str) -> Callable[[Path], object]:
    def plant_it(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"import os")

    return plant_it


def link(name: str) -> Callable[[Path], object]:
    def link_it(folder: Path) -> None:
        content = (folder / name).read_bytes()
        elsewhere = folder.parent / "elsewhere"
        elsewhere.write_bytes(content)
        (folder / name).unlink()
        (folder / name).symlink_to(elsewhere)

    return link_it


def link_folder(folder: Path) -> None:
    (folder / "code" / "src").rename(folder.parent / "elsewhere")
    (folder / "code" / "src").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    "tamper",
    [
        plant("manifest.json"),
        plant("code.tree"),
        plant("model.tree"),
        plant("requirements.lock"),
        plant("code/src/features.py"),
        plant("model/model.joblib"),
        plant("code/src/json.py"),
        plant("code/src/__pycache__/features.cpython-311.pyc"),
        plant("code/sitecustomize.py"),
        plant("model/more.joblib"),
        link("manifest.json"),
        link("code/src/features.py"),
        link("model/model.joblib"),
        link_folder,
        lambda folder: (folder / "code" / "params.yaml").unlink(),
        lambda folder: (folder / "model" / "model.joblib").unlink(),
        lambda folder: (folder / "code.tree").unlink(),
        lambda folder: (folder / "code").rename(folder.parent / "elsewhere"),
    ],
)
def test_a_bundle_that_is_not_what_its_manifest_says_is_refused(
    bundle: ABundle, tamper: Callable[[Path], object]
) -> None:
    verify(bundle)

    tamper(bundle.folder)

    with pytest.raises(TamperedError):
        verify(bundle)


def test_a_manifest_of_another_release_is_refused(bundle: ABundle) -> None:
    with pytest.raises(TamperedError, match=r"manifest\.json"):
        verify_bundle(bundle.folder, manifest_digest="0" * 64)


@pytest.mark.parametrize(
    ("differently", "message"),
    [
        ({"python": "3.9"}, "Python 3.9"),
        ({"platform": "plan9_mips"}, "plan9_mips"),
        ({"lock": "numpy==0.0.1\n"}, "numpy is "),
        ({"lock": "no-such-package==1.0\n"}, "no-such-package 1.0 is not installed"),
    ],
)
def test_a_release_runs_only_on_the_runtime_that_it_was_cut_with(
    tmp_path: Path, differently: dict[str, str], message: str
) -> None:
    bundle = a_bundle(tmp_path / "bundle", model=b"", inputs=INPUTS, **differently)  # type: ignore[arg-type]

    with pytest.raises(RuntimeMismatchError) as caught:
        verify(bundle)

    assert message in str(caught.value)


def test_a_later_format_asks_for_a_later_triune(bundle: ABundle) -> None:
    from triune.domain.canonical import sha256

    path = bundle.folder / "manifest.json"
    content = json.dumps({**json.loads(path.read_bytes()), "format": 2}).encode()
    path.write_bytes(content)

    with pytest.raises(WorkerError, match="upgrade Triune"):
        verify_bundle(bundle.folder, manifest_digest=sha256(content))
