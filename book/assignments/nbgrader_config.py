"""nbgrader's configuration: what is said here differs from its defaults."""

from pathlib import Path

import yaml
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests

from cofinal_lib.classroom.course import ConfinedExecute, InstallCell

c = get_config()  # noqa: F821

book = yaml.safe_load((Path(__file__).parents[2] / "_config.yml").read_text(encoding="utf-8"))
c.InstallCell.repository = book["repository"]["url"]  # the one place that names it

c.CourseDirectory.course_id = "cofinal"
c.Exchange.root = str(Path(__file__).parent)  # none is used; nbgrader complains where its default one is missing
c.GenerateAssignment.preprocessors = [InstallCell, *GenerateAssignment.preprocessors.default()]
c.Autograde.autograde_preprocessors = [ConfinedExecute, *Autograde.autograde_preprocessors.default()[1:]]
c.ConfinedExecute.timeout = 60  # seconds for a cell; ours take a few
c.ConfinedExecute.notebook_seconds = 300
c.ConfinedExecute.startup_timeout = 300  # on a busy machine
c.HTMLExporter.filters = {"markdown2html": "cofinal_lib.classroom.harmless.words"}
c.LimitOutput.max_lines = 100
c.GenerateFeedback.preprocessors = [ClearHiddenTests, *GenerateFeedback.preprocessors.default()]
