"""Model files that are damaged, or not what their name says, are named with what to do."""

import io
import pickle
import zipfile
from pathlib import Path

import joblib
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from triune.domain.errors import ModelError
from triune.serving.loading import load_model

ESTIMATOR = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])


def as_joblib(value: object, compress: str | int = 0) -> bytes:
    sink = io.BytesIO()
    joblib.dump(value, sink, compress=(compress, 3) if compress else 0)
    return sink.getvalue()


def a_zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.txt", "a")
    return sink.getvalue()


@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_joblib_file_is_loaded_compressed_or_not(compress: str | int) -> None:
    content = as_joblib(ESTIMATOR, compress)

    assert load_model("m.joblib", content, format="joblib").coef_ == pytest.approx([1.0])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_loaded_as_joblib(protocol: int) -> None:
    content = pickle.dumps(ESTIMATOR, protocol)

    assert load_model("m.pkl", content, format="joblib").predict([[3.0]]) == pytest.approx([3.0])


def test_a_skops_file_is_loaded_with_types_that_skops_does_not_trust_by_itself() -> None:
    estimator = make_pipeline(FunctionTransformer(Path), LinearRegression())
    content = skops.io.dumps(estimator)
    assert skops.io.get_untrusted_types(data=content)

    assert hasattr(load_model("m.skops", content, format="skops"), "predict")


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        (b"", "joblib", "m is empty"),
        (as_joblib(ESTIMATOR)[:-40], "joblib", "truncated, damaged, or something else"),
        (as_joblib(ESTIMATOR, "zlib")[:60], "joblib", "truncated, damaged, or something else"),
        (b"tenure,spend\n1,2\n", "joblib", "is no joblib file, it begins with b'tenure,spend"),
        (b"compute: yes\n", "joblib", "truncated, damaged, or something else"),
        (b"<!DOCTYPE html><html>", "joblib", "is no joblib file"),
        (a_zip(), "joblib", "is a zip archive, not a joblib file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "joblib", "is a Git LFS pointer"),
        (as_joblib(ESTIMATOR), "skops", "is no skops file"),
        (a_zip(), "skops", "truncated, damaged, or something else"),
        (skops.io.dumps(ESTIMATOR)[:-40], "skops", "truncated, damaged, or something else"),
        (as_joblib({"model": ESTIMATOR}), "joblib", "holds an object of type dict"),
        (b"cnot_there\nModel\n.", "joblib", "neither part of the release nor installed"),
        (b"c__main__\nNotThere\n.", "joblib", "needs NotThere from the script that trained it"),
        (b"cpathlib\nNotThere\n.", "joblib", "what the release's code does not have"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_what_to_do(
    content: bytes, format: str, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_model("m", content, format=format)

    assert str(caught.value).startswith(("m ", "m: "))
    assert message in str(caught.value)
