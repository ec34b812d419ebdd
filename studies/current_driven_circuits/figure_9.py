"""Sec. VI, Fig. 9: a step of the magnetisation relaxes; entropy deviation of the region it has reached.

Averaged replica, time evolved from a product state: circuits are never drawn. Without interactions correlation
matrices of drawn circuits give the same numbers.
"""

from pathlib import Path

import numpy as np
import typer
import xarray as xr
from drawing import STORE, PresetOption, StoreOption, WorkersOption, preset_named, save, title
from matplotlib.figure import Figure
from presets import Preset

from tnness import TEBD, ChainState, find
from tnness.engines.gaussian import Gaussian
from tnness.model.protocol import generator_of
from tnness.study.point import Setting
from tnness.study.scripts import swept
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
    about = {"n": step.n, "p1": step.p1, "delta": step.delta, "chi": step.chi, "preset": preset.name}
    return table.assign_coords(time=step.times, w=np.arange(1, step.n // 2 + 1)).assign_attrs(about)


def at_diffusion_length(values: xr.DataArray) -> np.ndarray:
    """Delta S of the sites within l_D = sqrt(D t) of the step, between neighbouring widths by a straight line."""
    widths = np.concatenate([[0], values["w"].values])
    lengths = np.sqrt(DIFFUSION * values["time"].values)
    rows = values.transpose("time", "w").values
    return np.array([np.interp(x, widths, [0, *row]) for x, row in zip(lengths, rows, strict=True)])


def draw(table: xr.Dataset) -> Figure:
    """(a) against l_D, (b) collapsed by tau_in, (c) profile in w at the last time."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    length = np.sqrt(DIFFUSION * table["time"].values)
    for number, p2 in enumerate(table["p2"].values):
        here, style = table["deviation"].sel(p2=p2), {"ms": 3.5, "lw": 0.9, "color": f"C{number}"}
        value = at_diffusion_length(here)
        left.plot(length, value, "o-", label=f"p2 = {p2:g}", **style)
        if p2 > 0:
            inner = np.sqrt(DIFFUSION / p2)  # D/v, with (26): v^2 = D p2
            middle.semilogx(p2 * table["time"], value / inner, "o-", label=f"p2 = {p2:g}", **style)
        right.plot(table["w"], here.isel(time=-1), "o-", label=f"p2 = {p2:g}", **style)
    left.plot(length, at_diffusion_length(table["drawn"]), "k--", lw=0.9, label="p2 = 0, 200 circuits drawn")
    left.set(xlabel="$l_D = (Dt)^{1/2}$", ylabel=r"$\Delta S(l_D, t) / \delta^2$ [nat]", title="(a)")
    middle.axvline(1, color="grey", lw=0.7, ls=":")
    middle.set(
        ylabel=r"$\Delta S(l_D, t) / (\delta^2 l_{in})$ [nat]",
        xlabel=r"$t / \tau_{in}$, with $\tau_{in} = 1 / p_2$",
        title="(b) in units of $l_{in} = (D / p_2)^{1/2}$",
    )
    right.axvline(length[-1], color="grey", lw=0.7, ls=":")
    right.plot(table["w"], table["drawn"].isel(time=-1), "k--", lw=0.9)
    right.set(xlabel="x", ylabel=r"$\Delta S(x, t) / \delta^2$ [nat]", title=f"(c) t = {float(table['time'][-1]):g}")
    for axes in (left, middle, right):
        axes.legend(fontsize=7)
        axes.title.set_fontsize(9)
    about = table.attrs
    how = f"averaged replica, TEBD, chi = {about['chi']}, delta = {about['delta']:g}, leading order from purities"
    title(figure, f"step of the magnetisation, L = {about['n']}, p1 = {about['p1']:g}; {how}", table)
    return figure


def main(preset: PresetOption = "quick", store: StoreOption = STORE, workers: WorkersOption = 0) -> None:
    """Compute what is missing, print the deviations and draw the figure."""
    table = data(preset_named(preset), store, workers)
    print("l_D       ", np.sqrt(DIFFUSION * table["time"].values).round(2))
    for p2 in table["p2"].values:
        print(f"p2 = {p2:<5g}", at_diffusion_length(table["deviation"].sel(p2=p2)).round(3))
    print("drawn     ", at_diffusion_length(table["drawn"]).round(3))
    save(draw(table), table, "figure_9")


if __name__ == "__main__":
    typer.run(main)
