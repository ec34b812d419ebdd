"""HTML: nothing of a text becomes markup, and nothing is loaded from elsewhere."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnness.display.page import document, html_table, small_curve


@given(st.text())
def test_no_cell_becomes_markup(text):
    table = html_table(["a"], [[text]])
    assert table.count("<") == html_table(["a"], [["x"]]).count("<")


@pytest.mark.parametrize("values", [[0.0, 1.0, np.nan, 3.0], np.ones(5), np.linspace(0, 1, 1000), [1e308, -1e308, 0]])
def test_a_curve_is_well_formed_and_inside_its_box(values):
    curve = small_curve(values, np.full(len(values), 0.1))
    if not curve:
        assert np.max(np.abs(values)) > 1e300
        return
    (line,) = [e for e in ElementTree.fromstring(curve).iter() if e.tag == "polyline"]
    points = np.array([[float(c) for c in p.split(",")] for p in line.get("points").split()])
    assert (points >= 0).all()
    assert (points <= [180, 44]).all()
    assert 2 <= len(points) <= 200


def test_a_page_names_no_place_elsewhere():
    page = document("a < b", "<p>text</p>", refresh=5)
    assert "a &lt; b" in page
    assert not re.search(r"https?://|src=|url\(", page)
    assert "default-src 'none'" in page
    assert 'content="5"' in page
