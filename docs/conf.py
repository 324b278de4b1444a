"""Sphinx: `make docs`. What is declared in the code (settings, commands, algorithms) becomes tables by declared.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import mpi_pgd

project = "mpi_pgd"
author = "The mpi_pgd authors"
copyright = "The mpi_pgd authors"
release = version = mpi_pgd.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "declared", "figures"]
exclude_patterns = ["_build", "lecture/made"]
html_theme = "furo"
html_title = f"mpi_pgd {release}"

myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
nitpicky = True
# Of other projects, whose inventories are not fetched: the build needs no network.
nitpick_ignore_regex = [("py:.*", r"(numpy|mpi4py|os|collections|typing)\..*|(np|MPI)\..*|Intracomm|PathLike|Sequence|Any")]
