"""The speed of operator fronts in the circuit itself, and what it predicts for Delta S and I.

At delta = 0 a pair a_up a_dn in the middle of the chain is evolved by the averaged replica. The purity of the first k
sites counts the strings that end within them: its growth with k shows where strings end.
"""

from typing import Annotated

import numpy as np
import typer
import xarray as xr
from matplotlib.figure import Figure
from presets import FIGURES, HALF, OTHERS

from tnness import TEBD, ChainState, find
from tnness.model.protocol import generator_of
from tnness.study.scripts import save
from tnness_models.replica import FIELDS, STATES, entropy_deviations, replica_spin


def seeded(n: int) -> ChainState:
    """The vacuum plus a_up a_dn on the two middle sites: (2^-n) 1 x 1 + the pair, as a state of bond dimension 2."""
    vacuum = replica_spin.vector(FIELDS[0])
    ends = {n // 2 - 1: STATES["a_up"], n // 2: STATES["a_dn"]}
    tensors = []
    for site in range(n):
        tensor = np.zeros((2, 6, 2))
        tensor[0, :, 0] = vacuum
        tensor[1, :, 1] = replica_spin.vector(ends[site]) if site in ends else vacuum
        tensors.append(tensor)
    tensors[0] = tensors[0].sum(axis=0, keepdims=True)
    tensors[-1] = tensors[-1].sum(axis=2, keepdims=True)
    return ChainState(tensors)


def spread(n: int, p1: float, p2: float, times: np.ndarray, chi: int) -> np.ndarray:
    """Share of the operator's weight that has its right end within the first k sites, k = 0..n: (time, n + 1)."""
    model = find("replica-abc")(n=n, p1=p1, p2=p2, m_left=0.0, m_right=0.0)
    run = TEBD(chi=chi, dt=0.8).init(generator_of(model), seeded(n))
    shares = []
    for time in times:
        while run.time < time:
            run.step(time)
        shares.append([0.0, *entropy_deviations(run.view(), [range(k) for k in range(1, n + 1)])])
    return np.array(shares) / shares[0][-1]


def speed(times: np.ndarray, shares: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean right end of the strings against time, and its slope over the later half of the times."""
    ends = shares.shape[1] - 1 - shares[:, :-1].sum(axis=1) / shares[:, -1] - 0.5
    late = times >= times[-1] / 2
    return float(np.polyfit(times[late], ends[late], 1)[0]), ends


def main(
    n: Annotated[int, typer.Option(help="sites; fronts must not reach the ends")] = 24,
    end: Annotated[float, typer.Option(help="last time")] = 12.0,
    chi: Annotated[int, typer.Option(help="bond dimension")] = 32,
    name: Annotated[str, typer.Option("--preset", help="name of the files")] = "quick",
) -> None:
    """Measure the speed for every ensemble of gates and draw the fronts."""
    times = np.linspace(0, end, 11)
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = []
    for number, (p1, p2) in enumerate((HALF, *OTHERS)):
        shares = spread(n, p1, p2, times, chi)
        v, ends = speed(times, shares)
        rows.append((p1, p2, v, ends, shares))
        print(f"p1 = {p1:g}, p2 = {p2:g}: v = {v:.3f}, weight left {shares[-1, -1]:.3f}, 1/(2 v) = {1 / (2 * v):.3f}")
        left.plot(
            times, ends - n / 2, "o-", ms=3, color=f"C{number}", label=f"$p_1$ = {p1:g}, $p_2$ = {p2:g}: v = {v:.3f}"
        )
    for k in range(1, len(times), 2):
        right.plot(np.arange(n + 1) - n / 2, rows[0][4][k], color=f"{0.8 - 0.07 * k}", lw=1)
    left.set(xlabel="time", ylabel="mean right end of strings, from the middle")
    left.legend(fontsize=7)
    right.set(xlabel="x", ylabel="weight of strings that end left of x", title="p1 = p2 = 1/2, every second time")
    figure.suptitle(f"{name} preset: averaged spreading of one operator pair, L = {n}, chi = {chi}", fontsize=8)
    table = {
        "speed": ("gates", [row[2] for row in rows]),
        "ends": (("gates", "time"), np.array([row[3] for row in rows])),
        "p1": ("gates", [row[0] for row in rows]),
        "p2": ("gates", [row[1] for row in rows]),
    }
    found = xr.Dataset(table, coords={"time": times}, attrs={"preset": name, "n": n, "chi": chi})
    save(figure, {"": found}, FIGURES / f"front_{name}", dpi=100)


if __name__ == "__main__":
    typer.run(main)
