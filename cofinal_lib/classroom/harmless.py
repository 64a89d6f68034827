"""What a submission shows, without scripts: feedback pages and Formgrader are read in a browser that trusts them."""

from nbconvert.filters import markdown2html
from nbconvert.preprocessors.sanitize import SanitizeHTML

_TAGS = "a b blockquote br code del div em h1 h2 h3 h4 h5 h6 hr i img li ol p pre s span strong sub sup ul"
_TABLE = "table tbody td th thead tr"
_cleaner = SanitizeHTML(
    tags=[*_TAGS.split(), *_TABLE.split()],
    attributes={"*": ["class"], "a": ["href"], "img": ["alt", "src"]},
    styles=[],
    safe_output_keys={"text/plain", "image/png", "image/jpeg"},
)


def words(markdown: str) -> str:
    """Markdown as HTML; tags that could do something are shown as text."""
    return _cleaner.sanitize_html_tags(markdown2html(markdown))


def outputs(found: list) -> list:
    """A cell's outputs: text, pictures, and HTML as in `words`; the rest is dropped."""
    for output in found:
        if "metadata" in output:
            output.metadata = {}
    return _cleaner.sanitize_code_outputs(found)
