"""Sec. VI, Fig. 9: a step of the magnetisation relaxes; entropy deviation of the region it has reached.

Averaged replica, time evolved from a product state: circuits are never drawn. Without interactions correlation
matrices of drawn circuits give the same numbers.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness import TEBD, ChainState, find
from tnness.engines.gaussian import Gaussian
from tnness.model.protocol import generator_of
from tnness.records.style import GUIDE, canvas, headline, lettered
from tnness.study.point import Setting
from tnness.study.scripts import script, swept
from tnness_models.replica import entropy_deviations, occupied, replica_spin

DIFFUSION = 0.5
"""Of the average density, at one gate per bond and unit of time."""


def step_state(n: int, m_left: float, m_right: float) -> ChainState:
    """Product of mixed spins of the left reservoir's state, and of the right one's."""
    densities = np.where(np.arange(n) < n // 2, 0.5 + m_left, 0.5 + m_right)
    return ChainState.product([replica_spin.vector(occupied(float(p))) for p in densities])


def regions(n: int) -> list[range]:
    """The middle 2 w sites, w = 1..n/2."""
    return [range(n // 2 - w, n // 2 + w) for w in range(1, n // 2 + 1)]


def deviations(setting: Setting) -> xr.Dataset:
    """Delta S / delta^2 of the middle sites in time, from purities: (time, w)."""
    model = setting.model
    engine = setting.engine
    assert isinstance(engine, TEBD)
    run, found = engine.init(generator_of(model), step_state(model.n, model.m_left, model.m_right)), []
    for time in setting.job.ask.times or ():
        while run.time < time - 1e-9:
            run.step(time)
        found.append(entropy_deviations(run.view(), regions(model.n)))
    delta = model.m_left - model.m_right
    return xr.Dataset({"deviation": (("step_time", "w"), np.array(found) / delta**2)})


def drawn(n: int, p1: float, times: list[float], circuits: int) -> np.ndarray:
    """The same at second order without interactions, 2 sum |G_ij - <G_ij>|^2 of drawn circuits: (time, w)."""
    model = find("random-circuit")(n=n, p1=p1, initial="step")
    start, found = model.initial_state("gaussian"), []
    density = start[:, 0, 0].real
    for seed in range(circuits):
        for time, view in Gaussian().solve(model.problem(), initial=start, times=times, seed=seed).views:
            mean = model.mean_density(density, round(time * (n + 1)))
            excess = 2 * np.abs(view.correlation - np.diag(mean)) ** 2
            found.append([excess[np.ix_(x, x)].sum() for x in regions(n)])
    return np.array(found).reshape(circuits, len(times), -1).mean(axis=0)


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Delta S / delta^2 at all times, regions and p2."""
    step = preset.step
    found = swept(
        "replica-abc",
        {"p2": step.p2},
        store / f"step_n={step.n}_p1={step.p1:g}_delta={step.delta:g}_chi={step.chi}_end={step.end:g}_{step.count}",
        parameters={"n": step.n, "p1": step.p1, "m_left": step.delta / 2, "m_right": -step.delta / 2},
        engine=TEBD(chi=step.chi, dt=0.8),
        times=step.times,
        measure=deviations,
        workers=workers,
    ).isel(realization=0)
    table = xr.Dataset({"deviation": found["deviation"].rename(step_time="time")})
    table["drawn"] = ("time", "w"), drawn(step.n, step.p1, step.times, 200)
    about = {"n": step.n, "p1": step.p1, "delta": step.delta, "chi": step.chi}
    return table.assign_coords(time=step.times, w=np.arange(1, step.n // 2 + 1)).assign_attrs(about)


def at_diffusion_length(values: xr.DataArray) -> np.ndarray:
    """Delta S of the sites within l_D = sqrt(D t) of the step, between neighbouring widths by a straight line."""
    widths = np.concatenate([[0], values["w"].values])
    lengths = np.sqrt(DIFFUSION * values["time"].values)
    rows = values.transpose("time", "w").values
    return np.array([np.interp(x, widths, [0, *row]) for x, row in zip(lengths, rows, strict=True)])


def draw(table: xr.Dataset) -> Figure:
    """(a) against l_D, (b) collapsed by tau_in, (c) profile in w at the last time."""
    figure, panels = canvas(1, 3)
    left, middle, right = panels
    length, drawn = np.sqrt(DIFFUSION * table["time"].values), "200 circuits drawn"
    for number, p2 in enumerate(table["p2"].values):
        here = table["deviation"].sel(p2=p2)
        style = {"lw": 0.9, "color": f"C{number}", "label": f"$p_2$ = {p2:g}"}
        value = at_diffusion_length(here)
        left.plot(length, value, "o-", **style)
        if p2 > 0:
            inner = np.sqrt(DIFFUSION / p2)  # D/v, with (26): v^2 = D p2
            middle.semilogx(p2 * table["time"], value / inner, "o-", **style)
        right.plot(table["w"], here.isel(time=-1), "o-", **style)
    left.plot(length, at_diffusion_length(table["drawn"]), "k--", lw=0.9, label=f"$p_2$ = 0, {drawn}")
    left.set(xlabel=r"$l_D = (Dt)^{1/2}$ [sites]", ylabel=r"$\Delta S(l_D, t) / \delta^2$ [nat]")
    middle.axvline(1, **GUIDE)
    middle.set(ylabel=r"$\Delta S(l_D, t) / (\delta^2 l_{\mathrm{in}})$ [nat]", xlabel=r"$t / \tau_{\mathrm{in}}$")
    right.axvline(length[-1], **GUIDE)
    right.plot(table["w"], table["drawn"].isel(time=-1), "k--", lw=0.9, label=f"$p_2$ = 0, {drawn}")
    right.set(xlabel="$x$ [sites]", ylabel=r"$\Delta S(x, t) / \delta^2$ [nat]")
    for axes in panels:
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")
    middle.set_ylim(top=0.95)
    units = r"$l_{\mathrm{in}} = (D / p_2)^{1/2}$, $\tau_{\mathrm{in}} = 1 / p_2$"
    lettered(panels, ("", units, f"t = {float(table['time'][-1]):g}; dotted: $x = l_D$"))
    about = table.attrs
    what = rf"step of the magnetisation $\delta$ = {about['delta']:g}, L = {about['n']}, $p_1$ = {about['p1']:g}"
    how = rf"averaged replica, TEBD, $\chi$ = {about['chi']}, leading order from purities"
    headline(figure, f"{about['preset']} preset: {what}; {how}")
    return figure


def tell(table: xr.Dataset) -> str:
    """Deviations of the sites within l_D."""
    lines = [f"l_D        {np.sqrt(DIFFUSION * table['time'].values).round(2)}"]
    for p2 in table["p2"].values:
        lines.append(f"p2 = {p2:<5g} {at_diffusion_length(table['deviation'].sel(p2=p2)).round(3)}")
    return "\n".join([*lines, f"drawn      {at_diffusion_length(table['drawn']).round(3)}"])


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
