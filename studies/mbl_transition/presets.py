"""What is computed for each figure: `quick` for two cores and a few minutes, `paper` with the paper's numbers."""

from dataclasses import dataclass, replace

from ensemble import Ensemble, Relaxation


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One setting of all figures."""

    name: str
    transition: tuple[Ensemble, ...]  # Figs. 2 and 3
    fit_eps: float  # largest eps in the power-law fits
    fit_h: float  # largest h in the power-law fits that give nu
    truncation: Ensemble  # Fig. 8
    baseline: int  # bond dimension that Fig. 8 compares with
    relaxation: Relaxation  # Fig. 9
    sizes: tuple[Ensemble, ...]  # Fig. 10
    weak: tuple[Ensemble, ...]  # below the paper's couplings
    choices: Ensemble  # the same with other readings of the jumps and of a bond's energy
    ranges: tuple[tuple[float, float], ...]  # of eps, for the fits of both: the paper's first
    pairs: tuple[
        tuple[float, float], ...
    ]  # of eps, between which realizations are counted that grow: the paper's first

    def choosing(self, drive: str, field_weight: float) -> "Preset":
        """The same with another reading of the jumps, or of a bond's energy (see the README)."""
        choice = {"drive": drive, "field_weight": field_weight}
        return replace(
            self,
            transition=tuple(replace(ensemble, **choice) for ensemble in self.transition),
            truncation=replace(self.truncation, **choice),
            sizes=tuple(replace(ensemble, **choice) for ensemble in self.sizes),
            relaxation=replace(self.relaxation, **choice),
            weak=tuple(replace(ensemble, **choice) for ensemble in self.weak),
        )


PAPER_EPS = (0.01, 0.02, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
QUICK_EPS = (0.01, 0.02, 0.05, 0.1, 0.2)
WEAK_EPS = (0.001, 0.002, 0.005)
PAPER_H = {100: (1.0, 2.0), 400: (3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0)}  # by realizations
TWENTY_EPS = (0.01, 0.02, 0.05, 0.1)
TWENTY = 20  # realizations that `twenty` asks for
PLAIN_FROM = 0.1  # eps from which waiting for 1/eps costs less than a jump


def _weak_paper() -> tuple[Ensemble, ...]:
    """The paper's chains, at its couplings and a decade below."""
    eps = WEAK_EPS + PAPER_EPS
    jumped, waited = tuple(e for e in eps if e < PLAIN_FROM), tuple(e for e in eps if e >= PLAIN_FROM)
    return tuple(
        Ensemble(n=(20,), h=h, eps=part, realizations=count, chi=(64,), accelerate=part is jumped)
        for count, h in PAPER_H.items()
        for part in (waited, jumped)
    )


def _twenty(n: int, chi: int, realizations: int) -> Ensemble:
    """The paper's decade of eps, judged by the order parameter at a tolerance that the bond dimension can keep."""
    return Ensemble(
        n=(n,),
        h=(2.0, 4.0),
        eps=TWENTY_EPS,
        realizations=realizations,
        chi=(chi,),
        tolerance=0.1,
        watch=("beta_variation",),
    )


PRESETS = {
    "quick": Preset(
        name="quick",
        transition=(Ensemble(n=(7,), h=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0), eps=QUICK_EPS, realizations=24),),
        fit_eps=0.1,
        fit_h=4.0,
        truncation=Ensemble(
            n=(12,), h=(4.0,), eps=(0.2, 0.4), realizations=4, chi=(24, 32, 48, 64), tolerance=5e-4, longest=15.0
        ),
        baseline=32,
        relaxation=Relaxation(n=(20, 40), h=4.0, eps=(0.05, 0.1, 0.2, 0.4), chi=24),
        sizes=(
            Ensemble(n=(4,), h=(2.0, 4.0), eps=QUICK_EPS, realizations=100),
            Ensemble(n=(5,), h=(2.0, 4.0), eps=QUICK_EPS, realizations=50),
            Ensemble(n=(7,), h=(2.0, 4.0), eps=QUICK_EPS, realizations=24),  # shared with Figs. 2 and 3
            Ensemble(n=(8,), h=(2.0, 4.0), eps=QUICK_EPS, realizations=12),
        ),
        weak=(
            Ensemble(  # shares the points of Figs. 2 and 3
                n=(7,), h=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0), eps=(*WEAK_EPS, *QUICK_EPS, 0.4), realizations=24
            ),
            Ensemble(n=(8,), h=(1.0, 2.0, 4.0, 8.0), eps=(*WEAK_EPS, *QUICK_EPS, 0.4), realizations=12),
        ),
        choices=Ensemble(n=(7,), h=(1.0, 2.0, 4.0, 8.0), eps=(0.001, 0.002, 0.01, 0.02, 0.1), realizations=24),
        ranges=((0.01, 0.1), (0.001, 0.1), (0.001, 0.01)),
        pairs=((0.01, 0.02), (0.001, 0.002)),
    ),
    "paper": Preset(
        name="paper",
        transition=tuple(Ensemble(n=(20,), h=h, eps=PAPER_EPS, realizations=count) for count, h in PAPER_H.items()),
        fit_eps=0.05,
        fit_h=4.0,
        truncation=Ensemble(
            n=(20,), h=(4.0,), eps=(0.01, 0.02, 0.04, 0.1), realizations=60, chi=(100, 120, 140), tolerance=1e-4
        ),
        baseline=100,
        relaxation=Relaxation(n=(20, 40), h=4.0, eps=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4), chi=100),
        sizes=(
            Ensemble(n=(8, 12, 20), h=(2.0, 3.0, 4.0, 4.5), eps=PAPER_EPS, realizations=150),
            Ensemble(n=(40, 90), h=(2.0, 3.0, 4.0, 4.5), eps=PAPER_EPS, realizations=50),
        ),
        weak=_weak_paper(),
        choices=Ensemble(
            n=(20,),
            h=(1.0, 2.0, 4.0, 8.0),
            eps=(0.001, 0.002, 0.01, 0.02, 0.05),
            realizations=100,
            chi=(64,),
            accelerate=True,
        ),
        ranges=((0.01, 0.05), (0.001, 0.05), (0.001, 0.01)),
        pairs=((0.01, 0.02), (0.001, 0.002)),
    ),
}
PRESETS["twenty"] = replace(  # Figs. 2 and 10 at twenty sites, in hours instead of weeks
    PRESETS["paper"],
    name="twenty",
    transition=(_twenty(20, 64, TWENTY),),
    fit_eps=0.1,
    sizes=(
        replace(PRESETS["quick"].sizes[-1], eps=TWENTY_EPS),
        _twenty(12, 48, TWENTY),
        _twenty(20, 64, TWENTY),
    ),
)
