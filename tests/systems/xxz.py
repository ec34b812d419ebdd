"""The XXZ chain at maximal driving, of any length."""

import numpy as np

from systems.dense import Array


def prosen_transfer(n: int, delta: float, gamma: float) -> tuple[Array, Array]:
    """The tridiagonal matrices (V, W) whose products sum the ansatz of Prosen 2011; (n//2 + 1) square.

    With e = Gamma/2 and Chebyshev T_k, U_k at Delta (U_{-1} = 0), k = 0 .. floor(n/2):
    a_k = T_k - (i e/2) U_{k-1},  p_k = U_k,  m_k = -i e T_k - (1 - Delta^2 + e^2/4) U_{k-1};
    V_kk = 2 |a_k|^2,  V_{k,k+1} = |p_k|^2,  V_{k+1,k} = |m_k|^2;
    W_{k,k+1} = V_{k,k+1},  W_{k+1,k} = -V_{k+1,k},  W_kk = 0.
    """
    depth, e = n // 2 + 1, gamma / 2
    first, second = np.empty(depth), np.empty(depth + 1)  # T_k and U_{k-1}
    first[:2], second[:2] = [1.0, delta][:depth], [0.0, 1.0]
    for k in range(2, depth):
        first[k] = 2 * delta * first[k - 1] - first[k - 2]
    for k in range(2, depth + 1):
        second[k] = 2 * delta * second[k - 1] - second[k - 2]
    diagonal = np.abs(first - 0.5j * e * second[:-1]) ** 2
    up = np.abs(second[1:]) ** 2
    down = np.abs(-1j * e * first - (1 - delta**2 + e**2 / 4) * second[:-1]) ** 2
    upper, lower = np.diag(up[:-1], 1), np.diag(down[:-1], -1)
    return 2 * np.diag(diagonal) + upper + lower, upper - lower


def prosen_exact(n: int, delta: float, gamma: float) -> dict[str, Array]:
    """Steady state for jumps sqrt(Gamma) sigma^+_first and sqrt(Gamma) sigma^-_last.

    Returns z (n,), current (n-1,), zz (n, n) (not connected, ones on the diagonal).

    Z_n = (V^n)_00,  j = 2 Gamma Z_{n-1}/Z_n,  <Z_i> = (V^{i-1} W V^{n-i})_00/Z_n  and, for i < j,
    <Z_i Z_j> = (V^{i-1} W V^{j-i-1} W V^{n-j})_00/Z_n  (i, j from 1). Long doubles for their
    exponents: for Delta > 1 (V^n)_00 grows like exp(n^2), beyond 1e308 before n = 60 at Delta = 1.5.
    """
    transfer, insertion = (matrix.astype(np.longdouble) for matrix in prosen_transfer(n, delta, gamma))
    origin = np.eye(len(transfer), dtype=np.longdouble)[0]
    left, right = [origin], [origin]
    with np.errstate(over="ignore", invalid="ignore"):  # refused just below, with the reason
        for _ in range(n):
            left.append(left[-1] @ transfer)  # <0|V^k
            right.append(transfer @ right[-1])  # V^k|0>
    norm = right[n][0]
    if not np.isfinite(norm):
        raise OverflowError(f"(V^n)_00 at n = {n}, Delta = {delta} exceeds the range of long doubles")
    z = np.array([left[i] @ insertion @ right[n - 1 - i] for i in range(n)]) / norm
    zz = np.eye(n)
    for i in range(n):
        row = left[i] @ insertion
        for j in range(i + 1, n):
            zz[i, j] = zz[j, i] = row @ insertion @ right[n - 1 - j] / norm
            row = row @ transfer
    current = float(2 * gamma * right[n - 1][0] / norm)
    return {"z": z.astype(float), "current": np.full(n - 1, current), "zz": zz}
