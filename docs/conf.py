# SPDX-License-Identifier: Apache-2.0
"""Settings of the documentation site, which `make docs` builds with Sphinx into build/docs; it needs no network."""

from __future__ import annotations

from importlib.metadata import version as version_of

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from ese_host.tensorflow_startup import quiet_tensorflow

with quiet_tensorflow():  # what autodoc imports needs it
    pass

project = "ese4ml"
author = "ese4ml developers"
copyright = author  # the year would change the pages without need
version = release = version_of("ese4ml")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["results/study-notes.md", "results/study-ese-notes.md"]

html_theme = "furo"
html_title = f"ese4ml {version}"
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"

myst_heading_anchors = 5
nb_execution_mode = "off"  # the tests run the notebooks

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90
autodoc_type_aliases = {"Floats": "Floats", "Integers": "Integers"}
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # the fields of a dataclass are described in its docstring, once
napoleon_attr_annotations = False  # the signature has the types
default_role = "code"  # as in Markdown, what stands in backticks is code

OUTSIDE = {"CONTRIBUTING": "contributing", "SECURITY": "security", "CHANGELOG": "changelog", "README": "index"}
"""{page at the top of the project: page of the site that stands for it}."""


def link_inside(_: Sphinx, doctree: nodes.document) -> None:
    """Let links to pages at the top of the project lead to the site's own.

    In the sources they lead to the files, so that a reader without the site can follow them too.
    """
    for link in doctree.findall(pending_xref):
        name = link["reftarget"].rpartition("/")[2].removesuffix(".md")
        if name in OUTSIDE:
            link.attributes.update(refdomain="doc", reftarget=OUTSIDE[name], reftargetid=None)


def setup(app: Sphinx) -> None:
    """Let Sphinx call what stands here."""
    app.connect("doctree-read", link_inside)
