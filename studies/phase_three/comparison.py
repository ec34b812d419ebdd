"""Which law of the length do Delta S and I follow? Forms of fit, their weights, and what longer chains would decide."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

Values = NDArray[np.float64]
FIT_FROM = 12
"""Shortest chain in the fits."""


@dataclass(frozen=True)
class Form:
    """A law of the length n. The first parameter is the limit of long chains, unless `limit` says what it is."""

    name: str
    law: Callable[..., Values]
    start: tuple[float, ...]
    limit: float | None = None  # None: the first parameter
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None = None


FORMS = (
    Form("1/L", lambda n, a, b: a + b / n, (1.0, -1.0)),
    Form("1/L, 1/L^2", lambda n, a, b, c: a + b / n + c / n**2, (1.0, -1.0, 0.0)),
    Form(
        "L^-p",
        lambda n, a, b, p: a + b * n**-p,
        (1.0, -1.0, 1.0),
        bounds=((0.0, -np.inf, 0.2), (np.inf, np.inf, 3.0)),
    ),
    Form("L^(-1/2)", lambda n, a, b: a + b / np.sqrt(n), (1.0, -1.0)),
    Form("1/L, ln L", lambda n, a, b, c: a + b / n + c * np.log(n), (1.0, -1.0, 0.0), limit=np.inf),
    Form("ln L", lambda n, a, b: a + b * np.log(n), (1.0, 0.1), limit=np.inf),
    Form(
        "1/L, decaying",
        lambda n, a, b, r: (a + b / n) / (1 + r * n),
        (1.0, -1.0, 1e-3),
        limit=0.0,
        bounds=((0.0, -np.inf, 0.0), (np.inf, np.inf, 1.0)),
    ),
)
"""The last three have no finite limit other than 0: a logarithm never ends, a decay sets in at L = 1/r."""


@dataclass(frozen=True)
class Fit:
    """One form fitted to the values of several lengths."""

    form: Form
    parameters: Values
    covariance: Values  # (parameter, parameter)
    chi2: float
    freedom: int

    @property
    def akaike(self) -> float:
        """chi^2 + 2 k, of k parameters."""
        return self.chi2 + 2 * len(self.parameters)

    @property
    def schwarz(self) -> float:
        """chi^2 + k ln(number of lengths): -2 ln of the evidence for wide priors."""
        return self.chi2 + len(self.parameters) * np.log(self.freedom + len(self.parameters))

    @property
    def finite(self) -> bool:
        """Whether the limit is a parameter."""
        return self.form.limit is None

    @property
    def limit(self) -> tuple[float, float]:
        """The limit of long chains and its standard error."""
        if self.form.limit is not None:
            return self.form.limit, 0.0
        return float(self.parameters[0]), float(np.sqrt(self.covariance[0, 0]))

    def predicted(self, n: Values) -> tuple[Values, Values]:
        """The law at other lengths and its standard error, by linear propagation."""
        value = self.form.law(n, *self.parameters)
        step = 1e-6 * np.maximum(np.abs(self.parameters), 1e-3)
        slopes = np.array(
            [
                (self.form.law(n, *(self.parameters + shift)) - self.form.law(n, *(self.parameters - shift)))
                / (2 * shift.max())
                for shift in np.diag(step)
            ]
        )
        return value, np.sqrt(np.einsum("kn,kl,ln->n", slopes, self.covariance, slopes))


def fitted(n: Values, values: Values, errors: Values, forms: tuple[Form, ...] = FORMS) -> list[Fit]:
    """Fit every form that has fewer parameters than there are lengths; errors are standard errors."""
    fits = []
    for form in forms:
        if len(form.start) >= len(n):
            continue
        bounds = (-np.inf, np.inf) if form.bounds is None else form.bounds
        found, covariance = curve_fit(
            form.law, n, values, p0=form.start, sigma=errors, absolute_sigma=True, bounds=bounds, maxfev=20_000
        )
        chi2 = float(np.sum(((form.law(n, *found) - values) / errors) ** 2))
        fits.append(Fit(form, found, covariance, chi2, len(n) - len(found)))
    return fits


def weights(criterion: Values) -> Values:
    """Probabilities exp(-criterion/2) of the forms, normalised."""
    relative = np.exp(-(criterion - criterion.min()) / 2)
    return relative / relative.sum()


def averaged_limit(fits: list[Fit], share: Values) -> tuple[float, float]:
    """Mean of the finite limits over the forms by their weights, and its uncertainty: their errors and spread."""
    chosen = [k for k, fit in enumerate(fits) if fit.finite]
    limits, errors = np.array([fits[k].limit for k in chosen]).T
    shares = share[chosen] / share[chosen].sum()
    mean = float(shares @ limits)
    return mean, float(np.sqrt(shares @ (errors**2 + (limits - mean) ** 2)))


def plan(n: Values, values: Values, errors: Values, truth: Fit, further: tuple[int, ...], accuracy: float) -> list[Fit]:
    """The fits as they would be with further lengths of that relative accuracy, if one form were the truth."""
    more = np.array(further, float)
    expected = truth.form.law(more, *truth.parameters)
    return fitted(
        np.concatenate([n, more]),
        np.concatenate([values, expected]),
        np.concatenate([errors, accuracy * np.abs(expected)]),
    )


def named(fits: list[Fit], name: str) -> Fit:
    """The fit of one form."""
    return next(fit for fit in fits if fit.form.name == name)
