"""The study of transport, end to end on short chains, against what is exact without interaction."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from study_modules import modules_of
from tnness import find
from tnness.study.scripts import save


def test_the_chain_without_interaction_is_the_model_with_dephasing():
    with modules_of("transport") as study:
        chain = study["chain"].DephasedXXZ(n=5, dephasing=0.7, gamma=1.5, mu=0.3)
    model = find("xx-dephasing")(n=5, dephasing=0.7, gamma=1.5, mu=0.3)
    assert chain.problem().digest() == model.problem().digest()
    assert list(chain.observables()) == list(model.observables())


def test_transport_figure(tmp_path):
    with modules_of("transport") as study:
        module = study["figure"]
        few = {"driven": {4: 0, 5: 0}, "response": {4: 0}, "noise": {3: 0}, "gap": {3: 0, 4: 0}}
        tiny = replace(study["presets"].PRESETS["quick"], deltas=(0.0, 1.0), gammas=(1.0,), **few)
        tables = module.data(tiny, tmp_path / "runs", 0)
        free = {name: table.sel(delta=0.0) for name, table in tables.items()}
        assert_allclose(free["driven"]["driven"], 2, rtol=1e-9)  # 4 J^2 / dephasing at any length and contacts
        early = free["response"]["in_time"].isel(n=0, time=4)
        assert_allclose(early, 2 * (1 - np.exp(-0.8)), rtol=2e-2)  # before the ends are felt
        assert np.all(tables["driven"]["driven"].sel(delta=1.0) < 1.9)
        assert np.all(tables["gap"]["rate"] > 0)
        figure = module.draw({name: table.assign_attrs(preset="tiny") for name, table in tables.items()})
        assert isinstance(figure, Figure)
        save(figure, tables, tmp_path / "transport_quick")
        assert "response" in module.report(tables)
