"""Makes expectations of what a test names: a dataset of the project, a file, or a frame."""

from triune.operations.locating import Project, dataset_files
from triune.testing.expectations import Expectations
from triune.testing.tables import Table


class Expect:
    """Says what a table is expected to be: ``expect("train").to_be_unique("customer_id")``."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def __call__(self, table: object) -> Expectations:
        """Take a table to expect something of.

        Parameters
        ----------
        table
            The name of a dataset of ``triune.yaml``, a path in the project (or a glob), a
            DataFrame of pandas or Polars, an Arrow table, or a list of rows.

        Raises
        ------
        DatasetError
            The dataset is not there.
        """
        root = self._project.root
        datasets = {each.name: each for each in self._project.spec.datasets}
        named = datasets.get(table) if isinstance(table, str) else None
        if named is None:
            return Expectations(Table(table, root=root))
        return Expectations(Table(dataset_files(self._project, named), root=root, name=named.name))
