"""No text gets into a page unescaped, and markup is not escaped twice."""

from mpi_pgd.report.markup import Markup, join, tag


def test_text_is_escaped_once() -> None:
    inner = tag("b", "a < b & c")
    assert inner == "<b>a &lt; b &amp; c</b>"
    assert tag("p", inner, ["<i>", Markup("<br>")]) == "<p><b>a &lt; b &amp; c</b>&lt;i&gt;<br></p>"


def test_attributes() -> None:
    assert tag("td", class_='"x"', data_row=3, id=None) == '<td class="&quot;x&quot;" data-row="3"></td>'


def test_what_is_joined_is_markup() -> None:
    assert isinstance(join("<"), Markup)
    assert join("<", ["&", tag("hr")]) == "&lt;&amp;<hr></hr>"
