"""README shows the results that are kept, and names files that exist."""

import importlib.util
import json
import re
from pathlib import Path

from PIL import Image

from cofinal_lib import claims
from cofinal_lib.records import REFERENCE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
_spec = importlib.util.spec_from_file_location("readme", ROOT / "data_scripts" / "readme.py")
readme = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(readme)


def test_its_table_is_made_from_the_results_that_are_kept():
    (written,) = readme.between("results").findall(README)
    assert written == readme.block(), "python data_scripts/readme.py writes it"


def test_it_and_the_first_page_say_what_the_results_say():
    found = readme.findings()
    assert claims.summary(claims.kept()) in README
    for page, folder in readme.PAGES.items():
        (written,) = readme.between("findings").findall(page.read_text())
        assert written == readme.linked(found, folder), "python data_scripts/readme.py writes it"
        links = re.findall(r"\]\(([^)]+)\)", written)
        assert links and all((page.parent / link).exists() for link in links)


def test_its_picture_shows_the_results_that_are_kept():
    assert readme.PICTURE.stat().st_size < 100_000
    assert str(readme.PICTURE.relative_to(ROOT)) in README
    assert Image.open(readme.PICTURE).text["Data"] == readme.digest(), "python data_scripts/readme.py draws it"


def test_it_promises_of_the_squats_what_ten_seeds_reached():
    record = json.loads((REFERENCE / "uiprmd-deep-squat.json").read_text())
    reached = record["metrics"]["test"]["srcc"]["last"]["soft"]["mean"]
    assert record["spec"]["seeds"] == list(range(10)) and reached >= 0.86
    assert f"a test SRCC of {reached:.2f} for the squats" in README


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links and all((ROOT / link).exists() for link in links)
