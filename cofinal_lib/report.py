"""A run's report: the notebook book/experiments/run.ipynb, executed on a finished run and kept in its folder."""

import logging
import os
import warnings
from importlib.util import find_spec
from pathlib import Path

from cofinal_lib.errors import CofinalError
from cofinal_lib.records import HOME, RunRecord

NOTEBOOK = HOME / "book" / "experiments" / "run.ipynb"
PARAMETERS = ("spec", "out", "run_id")
FRESH = "get_ipython().reset()"  # forgets an earlier report, all but its imports


def unavailable(notebook: Path = NOTEBOOK) -> str | None:
    """Say in a sentence why no report can be made here; None where one can."""
    absent = [name for name in ("papermill", "ipykernel") if find_spec(name) is None]
    if absent:
        return f"no report without {' and '.join(absent)}; pip install 'cofinal-book[book]' brings what is missing"
    if not Path(notebook).is_file():
        return f"no report without {notebook}, which the repository and a release's wheel bring; install one of them"
    return None


def refuse_unknown(names: dict) -> None:
    """Refuse a parameter that the notebook does not have; papermill only warns of it, and it would change nothing.

    Args:
        names: the notebook's globals(), parameters among them.
    """
    kinds, shell = (str, int, float, list, dict, type(None)), {"In", "Out"}  # the kernel's own
    given = {n for n, v in names.items() if isinstance(v, kinds) and n[0] != "_"} - shell
    if unknown := given - set(PARAMETERS):
        raise CofinalError(f"unknown parameter {', '.join(sorted(unknown))}; expected {', '.join(PARAMETERS)}")


class WarmKernel:
    """A kernel for one report after the other: starting one, and its imports, are most of a report's time.

    `with WarmKernel() as kernel:` starts it for the first report and ends it after the last.
    """

    def __enter__(self):
        self.manager = None
        return self

    def __exit__(self, *_):
        self.end()

    def get(self):
        """The kernel's manager; nbclient starts its kernel."""
        from jupyter_client.manager import AsyncKernelManager

        self.manager = self.manager or AsyncKernelManager(kernel_name="python3")
        return self.manager

    def end(self) -> None:
        """End the kernel, dead or alive; the next report gets a new one."""
        from jupyter_core.utils import run_sync

        if self.manager and self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)(now=True)
        self.manager = None


def execute(
    record_folder: Path, notebook: Path = NOTEBOOK, home: Path | None = None, kernel: WarmKernel | None = None
) -> None:
    """Execute the report of a finished run and write `run.ipynb` into its folder, whole or not at all.

    Nothing is trained: the notebook is told the run's id and reads its record.

    Args:
        record_folder: a finished run's folder, which holds record.json and arrays.npz.
        notebook: its parameters are spec (as record.json has it), out (the folder's parent) and run_id.
        home: where the folder will lie, if it is still to be renamed: what the report and errors name.
        kernel: by default a new one, which ends with the report.

    Raises:
        CofinalError: no report can be made here, or a cell failed. Then `run.failed.ipynb` in the folder shows where,
            and an earlier `run.ipynb` stays as it was.
    """
    if reason := unavailable(notebook):
        raise CofinalError(reason)
    folder = Path(record_folder)
    record = RunRecord.read(folder)
    where = folder if folder.name else folder.absolute()  # a relative path stays relative in what the report shows
    home = home or where
    parameters = {"spec": record.record["spec"], "out": str(where.parent), "run_id": where.name}
    aside, failed = folder / f".unfinished-{os.getpid()}.ipynb", folder / "run.failed.ipynb"
    try:
        if complaint := _papermill(notebook, aside, parameters, str(home.parent), kernel):
            aside.replace(failed)
            raise CofinalError(f"the report of {home} failed: {complaint}; see {home / failed.name}")
        aside.replace(folder / "run.ipynb")
        failed.unlink(missing_ok=True)
    except OSError as error:
        raise CofinalError(f"cannot write the report of {home}: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def failure(spec: dict, out: Path, trace: list[str], path: Path) -> None:
    """Write the notebook of a run that failed, with its parameters and, below the cell that makes the run, its error.

    Args:
        spec, out: the notebook's parameters. trace: lines of the traceback, the error's own last. path: the notebook.
    """
    import nbformat

    failed = nbformat.read(NOTEBOOK, as_version=4)
    cells = failed.cells
    at = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    source = f"spec = {spec!r}\nout = {str(out)!r}"
    cells.insert(at + 1, nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]}))
    making = next(cell for cell in cells if cell.cell_type == "code" and "run(RunSpec" in cell.source)
    name, _, value = trace[-1].strip().partition(": ")
    making.outputs = [nbformat.v4.new_output("error", ename=name.split(".")[-1], evalue=value, traceback=trace)]
    nbformat.write(failed, path)


def _papermill(notebook: Path, output: Path, parameters: dict, home: str, kernel: WarmKernel | None) -> str | None:
    """Execute `notebook` into `output`, which exists afterwards and names `home`; the error in one line, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nbformat and others, on import too: nothing a reader can mend
        import nbformat
        import papermill
        from jupyter_client.kernelspec import NoSuchKernel

        logging.getLogger("papermill").setLevel(logging.ERROR)
        complaint, source = None, nbformat.read(notebook, as_version=4)
        source.cells.insert(0, nbformat.v4.new_code_cell(FRESH, metadata={"tags": ["fresh"]}))
        try:
            papermill.execute_notebook(
                source,
                output,
                parameters=parameters,
                km=kernel and kernel.get(),
                kernel_name="python3",
                progress_bar=False,
                extra_arguments=["--log-level=CRITICAL"],  # the kernel's own warnings would reach the terminal
            )
        except papermill.PapermillExecutionError as error:
            complaint = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
        except (NoSuchKernel, RuntimeError) as error:  # no kernel, or one that did not start or died
            complaint = f"the kernel: {error}"
        if complaint and kernel:
            kernel.end()
        executed = nbformat.read(output if output.exists() else notebook, as_version=4)
        executed.metadata.setdefault("papermill", {}).update(input_path=Path(notebook).name, output_path="run.ipynb")
        executed.metadata["papermill"]["parameters"] = parameters | {"out": home}
        executed.cells = [cell for cell in executed.cells if "fresh" not in cell.metadata.get("tags", [])]
        for cell in executed.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace(parameters["out"], home)
        nbformat.write(executed, output)  # the paths of this machine are nobody else's business
    return complaint and " ".join(complaint.split())
