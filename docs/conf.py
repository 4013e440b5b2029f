"""How the site is built: `python -m sphinx -W docs BUILD` (dependency group `docs`)."""

from __future__ import annotations

import twistlike

project = "twistlike"
author = "The twistlike maintainers"
project_copyright = "The twistlike maintainers"
version = release = twistlike.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["ISSUE_TEMPLATE.md", "PULL_REQUEST_TEMPLATE.md"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Links to files of the project outside of docs/ are for readers of the repository.
# "TimeoutError" is the name of several classes: a reader sees which one is meant.
suppress_warnings = ["myst.xref_missing", "ref.python"]

# Docstrings have single backticks for code, as comments have.
default_role = "code"
autodoc_default_options = {"members": True, "show-inheritance": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Thread", "params_style")]
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "furo"
html_title = f"twistlike {release}"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_dark_style = "github-dark"  # Furo's own underlines each module's name
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp"
