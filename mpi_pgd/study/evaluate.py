"""``evaluate``: how good a fitted model is on rows that it may not have seen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd import config
from mpi_pgd.report import evaluation, evaluation_pictures
from mpi_pgd.report.export import Table
from mpi_pgd.report.shapes import Record, Shape, fields
from mpi_pgd.report.theme import Picture
from mpi_pgd.study.study import Flag, Study

if TYPE_CHECKING:
    from mpi4py import MPI

SETTINGS = (*config.HELD, "weights", "offset")


class Evaluate(Study):
    """Figures of a model, exact for any number of ranks."""

    title = "How good the model is"
    shape: ClassVar[Shape] = {"model": fields(text="path loss weights_sha256?"), "rows": [evaluation.SHAPE]}
    usage = "mpirun -n N python -m mpi_pgd evaluate MODEL DATA ... [options]"
    description = (
        "How good the MODEL that a fit has written is on the rows of DATA: mean loss, deviance explained; of numbers R2 and\n"
        "errors; of classes log loss, accuracy, area under the ROC curve, Brier score, confusion, figures of each; calibration.\n"
        "The same bits for any number of ranks, in every mode. Columns are matched with the model's features by name."
    )
    files = "MODEL DATA", "a run bundle or its model.h5; HDF5 files or globs, or tables such as CSV"
    settings: ClassVar[Sequence[str]] = ()
    flags: ClassVar[Sequence[Flag]] = (
        Flag("json", None, "", "print the record as JSON in place of tables", bool),
        *(Flag(name, None, name.upper(), str(config.OPTIONS[name].metadata["text"])) for name in SETTINGS),
    )
    out = "folder for evaluate.json, of which report makes a page with pictures"

    def run(self, comm: "MPI.Intracomm", given: Mapping[str, Any], start: float) -> int:
        """Evaluate, print and write what was typed. Collective."""
        from mpi_pgd.recovery.signals import SignalFlag
        from mpi_pgd.study.evaluating import run

        with SignalFlag() as flag:
            run(self, comm, given, lambda: flag.came)
        return 0

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """Settings apart, as far as they were typed."""
        return {"json": values["json"], "options": {name: values[name] for name in SETTINGS if values[name] is not None}}

    def sentence(self, record: Record) -> str:
        """The figure that says most."""
        return evaluation.sentence(record["rows"][0])

    def tables(self, record: Record) -> list[Table]:
        """Metrics, outputs, classes, calibration."""
        return evaluation.tables(self.name, record["rows"])

    def pictures(self, record: Record) -> list[Picture]:
        """Predictions against targets, residuals; confusion; calibration."""
        return evaluation_pictures.pictures(self.name, record["rows"])
