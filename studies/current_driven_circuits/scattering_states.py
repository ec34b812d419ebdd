"""Scattering states of the circuit in phase II, (74)-(80): where the reservoirs' spins go, and what they add up to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from presets import PRESETS, Preset

from tnness import find
from tnness.engines.fermions.circuit import orbital_map
from tnness.problems.circuit import Circuit
from tnness.records.style import canvas, headline, lettered
from tnness.study.scripts import script

DIFFUSION = 0.5
PAST = 5.0
"""Length of the circuit in decay times of the slowest diffusive mode: what is left of the initial state is e^-5."""
AGES = (0.02, 0.1, 0.4)
"""tau = t / L^2 at which |phi|^2 is drawn."""
WINDOW = 0.1
"""Relative width of what counts as one age, to either side."""
LAGS = 120


@dataclass(frozen=True)
class Amplitudes:
    """phi^i_l: c_i = sum_l phi^i_l c_l at the end of a circuit, l the spins that have come in.

    phi: (site, spin). left: which came from the left reservoir. age: time since they came. old: of the initial sites.
    """

    phi: np.ndarray
    left: np.ndarray
    age: np.ndarray
    old: np.ndarray  # (site, site)


def amplitudes(law: Circuit, gates: int, seed: int) -> Amplitudes:
    """Follow every spin that comes in: the rows of phi turn as the orbitals do."""
    n, sequence = law.n, list(law.trajectory(seed).gates(0, gates))
    bonds = np.concatenate([piece.bonds for piece in sequence])
    maps = np.concatenate([orbital_map(piece.unitaries) for piece in sequence])
    ends = np.flatnonzero((bonds == 0) | (bonds == n))
    phi = np.zeros((n + 2, n + len(ends)), complex)
    phi[1:-1, :n] = np.eye(n)
    entered = n
    for k, v in zip(bonds.tolist(), maps, strict=True):
        if k in (0, n):
            fresh = 0 if k == 0 else n + 1
            phi[fresh] = 0
            phi[fresh, entered] = 1
            entered += 1
        phi[k : k + 2, :entered] = v @ phi[k : k + 2, :entered]
    return Amplitudes(phi[1:-1, n:], bonds[ends] == 0, (gates - ends) / (n + 1), phi[1:-1, :n])


def gates_of(n: int) -> int:
    """Gates in which the slowest mode decays by e^PAST."""
    return round(PAST * (n + 1) ** 3 / (np.pi**2 * DIFFUSION))


def data(preset: Preset, store: Path, workers: int = 0) -> xr.Dataset:
    """Profiles of |phi|^2 at three ages, coherent and incoherent sums over l, and correlations of neighbouring l."""
    rows, profiles = [], []
    for n, count in preset.states.items():
        law = find("random-circuit")(n=n, p1=1.0).problem()
        each = [amplitudes(law, gates_of(n), seed) for seed in range(count)]
        rows.append([np.mean(values, axis=0) for values in zip(*map(sums, each), strict=True)])
        profiles.append(spread(each))
    coherent, incoherent, lagged, missing = (np.array(column) for column in zip(*rows, strict=True))
    table = xr.Dataset(
        {
            "coherent": ("n", coherent),
            "incoherent": ("n", incoherent),
            "lagged": (("n", "lag"), lagged / lagged[:, :1]),
            "missing": ("n", missing),
            "profile": (("tau", "x"), profiles[-1]),
        },
        coords={"n": list(preset.states), "lag": np.arange(LAGS), "tau": list(AGES)},
    )
    return table.assign_attrs(realizations=list(preset.states.values()))


def sums(states: Amplitudes) -> tuple[float, float, np.ndarray, float]:
    """Averages over pairs of sites near x = 1/4, y = 3/4, of the spins l from the left.

    |sum_l z_l|^2 and sum_l |z_l|^2, z_l = phi^i*_l phi^j_l; Re sum_l z*_l z_{l+s} for each lag s; and the largest
    |sum_l z_l| over all l, which (78) says vanishes.
    """
    n = len(states.phi)
    first, second = (slice(round(x * n) - n // 8, round(x * n) + n // 8) for x in (0.25, 0.75))
    one, other = states.phi[first], states.phi[second]
    z = (one.conj()[:, None] * other[None, :]).reshape(-1, len(states.left))
    all_of = np.abs(z.sum(axis=1) + (states.old[first].conj() @ states.old[second].T).ravel()).max()
    z = z[:, states.left]
    count = z.shape[1]
    lags = range(min(LAGS, count))
    lagged = [np.real(z[:, : count - s].conj() * z[:, s:]).sum(axis=1).mean() for s in lags]
    lagged += [np.nan] * (LAGS - len(lags))
    return float(np.mean(np.abs(z.sum(axis=1)) ** 2)), lagged[0], np.array(lagged), float(all_of)


def spread(circuits: list[Amplitudes]) -> np.ndarray:
    """L^2 |phi^i_l|^2 of the spins of three ages, those from the right read from the right: (tau, site)."""
    n = len(circuits[0].phi)
    weight = np.concatenate([np.abs(np.where(c.left, c.phi, c.phi[::-1])) ** 2 for c in circuits], axis=1)
    tau = np.concatenate([c.age for c in circuits]) / n**2
    near = np.abs(tau / np.array(AGES)[:, None] - 1) < WINDOW
    return n**2 * near @ weight.T / np.maximum(near.sum(axis=1, keepdims=True), 1)


def diffused(n: int, tau: float) -> np.ndarray:
    """L^2 |phi|^2 averaged: the first gate leaves half of the spin on site 1, then a walk between absorbing ends."""
    walk = find("random-circuit")(n=n, m_left=-0.5, m_right=-0.5)  # no particles in the reservoirs
    at = 0.5 * np.eye(n)[0]
    ages = tau * np.linspace(1 - WINDOW, 1 + WINDOW, 9)
    return n**2 * np.mean([walk.mean_density(at, round(t * n**2 * (n + 1))) for t in ages], axis=0)


def images(x: np.ndarray, tau: float, n: int) -> np.ndarray:
    """(74) with its prefactor, x/(2 D tau) exp(-x^2/4 D tau) / sqrt(4 pi D tau): L^2 |phi|^2."""
    return x / (2 * DIFFUSION * tau) * np.exp(-(x**2) / (4 * DIFFUSION * tau)) / np.sqrt(4 * np.pi * DIFFUSION * tau)


def slowest(x: np.ndarray, tau: float) -> np.ndarray:
    """(75) with its prefactor, pi sin(pi x) exp(-pi^2 D tau): L^2 |phi|^2."""
    return np.pi * np.sin(np.pi * x) * np.exp(-(np.pi**2) * DIFFUSION * tau)


def draw(table: xr.Dataset) -> Figure:
    """Spreading of a spin, the two sums over spins, and why they differ."""
    figure, panels = canvas(1, 3)
    left, middle, right = panels
    n = int(table["n"][-1])
    sites, fine = np.arange(1, n + 1) / (n + 1), np.linspace(0, 1, 200)
    for number, tau in enumerate(table["tau"].values):
        color, label = f"C{number}", rf"$\tau$ = {tau:g}"
        left.semilogy(sites, table["profile"].sel(tau=tau), "o", ms=3, color=color, label=label)
        left.plot(sites, diffused(n, float(tau)), "-", lw=0.8, color=color)
        limit = images(fine, float(tau), n) if tau < 0.2 else slowest(fine, float(tau))
        left.plot(fine[1:-1], limit[1:-1], "--", lw=0.9, color="grey")
    left.set(ylim=(1e-3, 100), xlabel="place $x$", ylabel=r"$L^2\,|\phi(x, \tau)|^2$")
    lengths = table["n"].values
    middle.loglog(lengths, table["coherent"], "o-", ms=4, label=r"$|\sum_l \phi^{i*}_l \phi^j_l|^2$, (79)")
    middle.loglog(lengths, table["incoherent"], "s-", ms=4, label=r"$\sum_l |\phi^i_l|^2 |\phi^j_l|^2$, random phases")
    middle.loglog(lengths, 1 / 16 / lengths, "k--", lw=0.8, label=r"(34): $x(1 - y)/L$")
    fall = float(table["incoherent"][0]) * (lengths[0] / lengths) ** 2
    middle.loglog(lengths, fall, "k:", lw=0.8, label=r"(80): $\propto 1/L^2$")
    middle.set_xticks(lengths, [str(n) for n in lengths])
    middle.set_xticks([], minor=True)
    middle.set(xlabel="length $L$", ylabel=r"$|G_{ij}|^2/\delta^2$", ylim=(1e-5, 1.5e-2))
    for number, length in enumerate(lengths):
        here = table["lagged"].sel(n=length)
        right.loglog(here["lag"][1:], here[1:], "o-", ms=2.5, lw=0.8, color=f"C{number}", label=f"L = {length}")
    right.set(ylim=(3e-3, 0.4), xlabel="lag $s$", ylabel=r"Re $E\,z_l^* z_{l+s}\,/\,E|z_l|^2$")
    left.legend(ncols=3, loc="upper left")
    middle.legend(loc="lower left")
    right.legend(loc="upper right")
    lettered(panels, (f"L = {n}; dashed: (74), (75)", "x = 1/4, y = 3/4", r"$z_l = \phi^{i*}_l\phi^j_l$"))
    counts = ", ".join(f"{r} at L = {n}" for n, r in zip(lengths, table.attrs["realizations"], strict=True))
    what = r"$p_1 = 1$, $p_2 = 0$, every spin that came in is followed"
    headline(figure, f"{table.attrs['preset']} preset: {what}; circuits: {counts}")
    return figure


def tell(table: xr.Dataset) -> str:
    """The two sums."""
    lines = []
    for n in table["n"].values:
        here = table.sel(n=n)
        one, other = float(here["coherent"]), float(here["incoherent"])
        lines.append(f"L = {n}: L |sum|^2 = {n * one:.4f}, L^2 sum| |^2 = {n**2 * other:.4f}, ratio {one / other:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    script(__file__, PRESETS, data, draw, tell)
