"""Where things are: on the site, whose pages are folders, and in the committed Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from ..report import HTML_NAME, MARKDOWN_NAME
from .find import Experiment, ResultSet

PICTURES = "pictures"


@dataclass(frozen=True)
class Site:
    """Addresses on the site, from a page ``depth`` folders below the overview.

    Attributes:
        depth: 0 for the overview, 1 for an experiment, 2 for a result set or a comparison.
        page: the file that every folder has, HTML or its Markdown twin.
    """

    depth: int = 0
    page: str = HTML_NAME

    def _at(self, *parts: str) -> str:
        return "/".join([*[".."] * self.depth, *parts])

    def overview(self) -> str:
        """Return the address of the overview."""
        return self._at(self.page)

    def experiment(self, one: Experiment) -> str:
        """Return the address of an experiment."""
        return self._at(one.name, self.page)

    def result_set(self, one: ResultSet) -> str:
        """Return the address of a result set."""
        return self._at(one.experiment, one.name, self.page)

    def comparison(self, before: ResultSet, after: ResultSet) -> str:
        """Return the address of a comparison."""
        return self._at(before.experiment, pair_name(before, after), self.page)

    def picture(self, name: str) -> str:
        """Return the address of a picture that the Markdown twins show."""
        return self._at(PICTURES, f"{name}.svg")

    def source(self, file: str) -> str:
        """Return the address of a result file: the site has none of them."""
        return ""


@dataclass(frozen=True)
class Committed:
    """Addresses from the Markdown that is committed beside the experiments.

    Attributes:
        depth: 0 for ``REPORT.md`` in the experiments folder, 1 for what is in ``report`` there.
    """

    depth: int = 0

    def _at(self, *parts: str) -> str:
        return "/".join([*[".."] * self.depth, *parts])

    def overview(self) -> str:
        """Return the address of the overview."""
        return self._at("REPORT.md")

    def experiment(self, one: Experiment) -> str:
        """Return the address of an experiment."""
        return self._at(one.name, "README.md")

    def result_set(self, one: ResultSet) -> str:
        """Return the address of a result set."""
        return self._at(one.experiment, "results", one.name, MARKDOWN_NAME)

    def comparison(self, before: ResultSet, after: ResultSet) -> str:
        """Return the address of a comparison."""
        return self._at("report", f"{before.experiment}--{pair_name(before, after)}.md")

    def picture(self, name: str) -> str:
        """Return the address of a picture."""
        return self._at("report", f"{name}.svg")

    def source(self, file: str) -> str:
        """Return the address of a result file."""
        return self._at(file)


def pair_name(before: ResultSet, after: ResultSet) -> str:
    """Return the name of a comparison of two sets."""
    return f"{before.name}--{after.name}"
