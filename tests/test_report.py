"""A run's report: executed, readable, whole or not there; and it stands whatever a method's run holds."""

import copy
import json
import os

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import papermill
import pytest

from cofinal_lib import report as reporting
from cofinal_lib import runs
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import report
from cofinal_lib.records import RunRecord
from cofinal_lib.runs import RunSpec, run

SPEC = RunSpec("twin/ball", seeds=(0, 1), epochs=3, twin={"feature_dim": 16, "n_train": 40})
NOTEBOOK = nbformat.read(reporting.NOTEBOOK, as_version=4)
matplotlib.use("agg")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    # One job: starting processes would take longer than these trainings.
    return run(SPEC, tmp_path_factory.mktemp("results"), command="a <command> & more", jobs=1)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def metrics_of(content: dict) -> list[tuple[dict, dict]]:
    """Every (selections, cell by decoding) of a record's content."""
    return [
        (selections, cell)
        for split in content["metrics"].values()
        for selections in split.values()
        for cell in selections.values()
    ]


def rewritten(record: RunRecord, folder, change) -> RunRecord:
    """Copy a run's folder, `change(content, arrays)` applied."""
    content, arrays = copy.deepcopy(record.record), record.arrays
    change(content, arrays)
    folder.mkdir()
    (folder / "record.json").write_text(json.dumps(content, allow_nan=False))
    np.savez_compressed(folder / "arrays.npz", **arrays)
    return RunRecord.read(folder)


def test_a_parameter_that_the_notebook_does_not_have_is_refused():
    reporting.refuse_unknown({"spec": {}, "out": "x", "run_id": None, "In": [], "_oh": {}, "Path": reporting.Path})
    with pytest.raises(CofinalError, match="unknown parameter epoch, seed; expected spec, out, run_id"):
        reporting.refuse_unknown({"spec": {}, "out": "x", "epoch": 5, "seed": [1]})
    first = json.loads(reporting.NOTEBOOK.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in first if cell["cell_type"] == "code"]
    assert "refuse_unknown(globals())" in code[1], "before anything is run"
    assert {line.split(" = ")[0] for line in code[0].splitlines()} == set(reporting.PARAMETERS)


def test_papermill_stops_at_an_unknown_parameter_before_anything_is_run(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="unknown parameter epochs; expected spec, out, run_id"):
        papermill.execute_notebook(
            reporting.NOTEBOOK, tmp_path / "out.ipynb", parameters={"out": str(tmp_path / "runs"), "epochs": None},
            kernel_name="python3", progress_bar=False,
        )  # fmt: skip
    assert not (tmp_path / "runs").exists()


def one_fit(content, arrays):
    """A method without epochs: one seed, one set of predictions, one decoding, a loss of its own or none."""
    arrays["predictions"] = arrays["predictions"][:1, -1:]
    arrays["predictions"][..., 1] = arrays["predictions"][..., 0]
    arrays["validation_srcc"] = np.full((1, 1), np.nan)
    for name in [n for n in arrays if n.startswith("loss/")]:
        del arrays[name]
    arrays["loss/epsilon_insensitive"] = np.zeros((1, 1))
    content["spec"]["seeds"], content["config"], content["schedule"] = [0], {"C": 1.0}, None
    content["notes"] = ["This method is fitted once."]
    content["epochs"] = {name: [0] for name in content["epochs"]}
    for _, cell in metrics_of(content):
        cell["soft"] |= {"low": None, "high": None, "per_seed": cell["soft"]["per_seed"][:1]}
        cell["hard"] = cell["soft"]


def sparse(content, arrays):
    """A method that predicts at a few of many epochs, and whose losses go below zero."""
    p = arrays["predictions"]
    arrays["predictions"] = np.full((2, 40, *p.shape[2:]), np.nan, np.float32)
    arrays["predictions"][:, [9, 19, 39]] = p[:, -1:]
    arrays["validation_srcc"] = np.full((2, 40), np.nan)
    arrays["loss/a loss of its own"] = np.linspace(1, -1, 80).reshape(2, 40)


def no_ranking(content, arrays):
    """A training that failed: no prediction is a number, no metric is defined, no baseline was computed."""
    arrays["predictions"][:] = np.nan
    arrays["validation_srcc"][:] = np.nan
    for _, cell in metrics_of(content):
        for metric in cell.values():
            metric |= {"mean": None, "low": None, "high": None, "per_seed": [None, None]}
    content["baselines"] = {}


def shown_by_the_notebook(**parameters) -> dict:
    """Run the notebook's code here, without a kernel; what its names hold afterwards."""
    names = {}
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "code":
            exec("\n".join(line for line in cell.source.splitlines() if not line.startswith("%")), names)
            if "parameters" in cell.metadata.get("tags", []):
                names |= parameters
    return names


def test_a_finished_run_gets_a_readable_notebook(record, capfd, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")  # as on a cluster: figures appear all the same
    here = os.getcwd()
    (record.folder / "run.failed.ipynb").write_text("of an earlier attempt")
    reporting.execute(record.folder)
    assert {p.name for p in record.folder.iterdir()} == {"record.json", "arrays.npz", "run.ipynb"}
    assert {p.name for p in record.folder.parent.iterdir()} == {record.folder.name}, "nothing was trained again"
    executed = nbformat.read(record.folder / "run.ipynb", as_version=4)
    nbformat.validate(executed)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert {output.output_type for output in outputs} <= {"execute_result", "display_data"}, "no error, no warning"
    assert sum("image/png" in output.data for output in outputs) == 2
    html = " ".join(output.data.get("text/html", "") for output in outputs)
    for _, cell in metrics_of(record.record):
        assert all(metric["mean"] is None or f"{metric['mean']:.3f}" in html for metric in cell.values())
    assert "optimistic" in html and record.record["provenance"]["data_digest"] in html
    assert "a &lt;command&gt; &amp; more" in html
    assert str(reporting.NOTEBOOK.parent) not in (record.folder / "run.ipynb").read_text()
    assert capfd.readouterr() == ("", "") and os.getcwd() == here


def test_reports_of_one_kernel_are_those_of_their_own_kernels(record, tmp_path):
    forms = ("text/html", "text/markdown", "image/png")

    def executed(folder):
        found = nbformat.read(folder / "run.ipynb", as_version=4)
        assert all("fresh" not in cell.metadata.get("tags", []) for cell in found.cells)
        return [
            (cell.execution_count, [output.get("data", {}).get(form) for output in cell.outputs for form in forms])
            for cell in found.cells
            if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
        ]

    other = rewritten(record, tmp_path / "run", sparse)
    faulty = copy.deepcopy(NOTEBOOK)
    faulty.cells.append(nbformat.v4.new_code_cell("import os; os.kill(os.getpid(), 9)"))
    nbformat.write(faulty, tmp_path / "faulty.ipynb")
    alone = []
    for folder in (record.folder, other.folder):
        reporting.execute(folder)
        alone.append(executed(folder))
    with reporting.WarmKernel() as kernel:
        for folder, expected in zip((record.folder, other.folder), alone, strict=True):
            reporting.execute(folder, kernel=kernel)
            assert executed(folder) == expected and kernel.manager.has_kernel
        with pytest.raises(CofinalError, match="kernel"):  # it died
            reporting.execute(other.folder, tmp_path / "faulty.ipynb", kernel=kernel)
        reporting.execute(other.folder, kernel=kernel)
        assert executed(other.folder) == alone[1]
    assert kernel.manager is None


@pytest.mark.parametrize("change", [one_fit, sparse, no_ranking])
def test_the_notebook_stands_whatever_a_run_holds(record, tmp_path, change):
    other = rewritten(record, tmp_path / "run", change)
    names = shown_by_the_notebook(spec={}, out=str(tmp_path), run_id="run")
    assert names["record"].record == other.record


def test_the_notebook_makes_the_run_that_it_is_told(record, monkeypatch):
    monkeypatch.setattr(runs, "fit", lambda *a, **k: pytest.fail("trained again"))
    names = shown_by_the_notebook(spec=json.loads(json.dumps(record.record["spec"])), out=str(record.folder.parent))
    assert names["record"].folder == record.folder


def test_one_fit_has_no_curves_one_decoding_and_no_intervals(record, tmp_path):
    other = rewritten(record, tmp_path / "run", one_fit)
    assert report.learning_curves(other) is None and "No curves are drawn" in report.about_curves(other).data
    assert report.decodings(other) == ["soft"] and len(report.scatter(other).axes) == 1
    table = report.metrics_table(other).data
    assert list(table.columns) == ["test", "train"] and not table.map(lambda cell: "[" in cell).any(axis=None)
    assert report.notes(other).data == "- This method is fitted once."


def test_epochs_without_predictions_are_left_out_of_the_curves(record, tmp_path):
    other = rewritten(record, tmp_path / "run", sparse)
    losses, srccs = report.learning_curves(other).axes
    drawn = {line.get_label(): line.get_xydata() for line in srccs.get_lines()}
    assert set(drawn) == {"train", "test"} and list(drawn["test"][:, 0]) == [10, 20, 40]
    assert np.isfinite(drawn["test"]).all()
    assert "a loss of its own" in [line.get_label() for line in losses.get_lines()]


def test_the_last_point_of_the_test_curve_is_the_metric(record):
    _, srccs = report.learning_curves(record).axes
    (test,) = (line for line in srccs.get_lines() if line.get_label() == "test")
    assert test.get_ydata()[-1] == pytest.approx(record.metric()["mean"])


def test_a_notebook_that_fails_leaves_no_report(record, tmp_path):
    other = rewritten(record, tmp_path / "run", lambda content, arrays: None)
    cells = [
        nbformat.v4.new_code_cell("spec, out, run_id = {}, '', None", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("raise RuntimeError('no ink\\nleft')"),
    ]
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "faulty.ipynb")
    with pytest.raises(CofinalError, match="RuntimeError: no ink left; see .*run.failed.ipynb$"):
        reporting.execute(other.folder, tmp_path / "faulty.ipynb")
    assert {p.name for p in other.folder.iterdir()} == {"record.json", "arrays.npz", "run.failed.ipynb"}
    assert "no ink" in (other.folder / "run.failed.ipynb").read_text()


def test_where_no_report_can_be_made_a_sentence_says_so(record, tmp_path, monkeypatch):
    assert reporting.unavailable() is None
    assert "the repository and a release's wheel bring" in reporting.unavailable(tmp_path / "run.ipynb")
    with pytest.raises(CofinalError, match="the repository and a release's wheel bring"):
        reporting.execute(record.folder, tmp_path / "run.ipynb")
    with pytest.raises(CofinalError, match="holds no finished run"):
        reporting.execute(tmp_path)
    monkeypatch.setattr(reporting, "find_spec", lambda name: None)
    assert "papermill and ipykernel" in reporting.unavailable()
