"""Waves in a basin: the shallow-water equations with the two-step Lax-Wendroff scheme.

Height h and momenta hu, hv on a square grid between reflecting walls; two drops fall into water
at rest.  Source: R. J. LeVeque, Finite Volume Methods for Hyperbolic Problems (2002), sections
4.7 and 13.1; the two-step form is R. D. Richtmyer's (1962).
"""
# tolerance: exact
# quick: --size 120 --steps 60

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

GRAVITY = 9.81  # m/s^2
DEPTH = 1.0  # m, water at rest
BASIN = 20.0  # m, length of a side
DROPS = [(0.35, 0.40, 0.12, 0.40), (0.70, 0.65, 0.08, 0.30)]  # x, y, radius, height


def first_height(size):
    """Water at rest with two smooth humps, in a frame of ghost cells."""
    y, x = (np.mgrid[0 : size + 2, 0 : size + 2] - 0.5) / size
    h = np.full((size + 2, size + 2), DEPTH)
    for center_x, center_y, radius, height in DROPS:
        distance2 = ((x - center_x) ** 2 + (y - center_y) ** 2) / radius**2
        h += height * np.maximum(1.0 - distance2, 0.0) ** 2
    return h


def reflect(h, hu, hv):
    """Fill the ghost cells: walls mirror the height and turn the flow round."""
    for field, sign_x, sign_y in ((h, 1.0, 1.0), (hu, -1.0, 1.0), (hv, 1.0, -1.0)):
        field[:, 0] = sign_x * field[:, 1]
        field[:, -1] = sign_x * field[:, -2]
        field[0, :] = sign_y * field[1, :]
        field[-1, :] = sign_y * field[-2, :]


def step(h, hu, hv, ratio):
    """One time step, in place; ratio = dt / dx."""
    reflect(h, hu, hv)
    # Half a step to the faces between the columns, where x fluxes are needed ...
    pressure = 0.5 * GRAVITY * h * h
    u, v = hu / h, hv / h
    fx, fy = hu * u + pressure, hv * v + pressure
    cross = hu * v
    half = 0.5 * ratio
    hx = 0.5 * (h[1:-1, 1:] + h[1:-1, :-1]) - half * (hu[1:-1, 1:] - hu[1:-1, :-1])
    hux = 0.5 * (hu[1:-1, 1:] + hu[1:-1, :-1]) - half * (fx[1:-1, 1:] - fx[1:-1, :-1])
    hvx = 0.5 * (hv[1:-1, 1:] + hv[1:-1, :-1]) - half * (cross[1:-1, 1:] - cross[1:-1, :-1])
    # ... and between the rows, for the y fluxes.
    hy = 0.5 * (h[1:, 1:-1] + h[:-1, 1:-1]) - half * (hv[1:, 1:-1] - hv[:-1, 1:-1])
    huy = 0.5 * (hu[1:, 1:-1] + hu[:-1, 1:-1]) - half * (cross[1:, 1:-1] - cross[:-1, 1:-1])
    hvy = 0.5 * (hv[1:, 1:-1] + hv[:-1, 1:-1]) - half * (fy[1:, 1:-1] - fy[:-1, 1:-1])
    # The whole step, from the fluxes at the faces.
    flux_x = hux * hux / hx + 0.5 * GRAVITY * hx * hx
    flux_y = hvy * hvy / hy + 0.5 * GRAVITY * hy * hy
    cross_x, cross_y = hux * hvx / hx, huy * hvy / hy
    inner = (slice(1, -1), slice(1, -1))
    h[inner] -= ratio * (hux[:, 1:] - hux[:, :-1] + hvy[1:] - hvy[:-1])
    hu[inner] -= ratio * (flux_x[:, 1:] - flux_x[:, :-1] + cross_y[1:] - cross_y[:-1])
    hv[inner] -= ratio * (cross_x[:, 1:] - cross_x[:, :-1] + flux_y[1:] - flux_y[:-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=320, help="cells along a side")
    parser.add_argument("--steps", type=int, default=300, help="time steps")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    dx = BASIN / args.size
    dt = 0.4 * dx / np.sqrt(GRAVITY * 1.5 * DEPTH)
    h = first_height(args.size)
    hu, hv = np.zeros_like(h), np.zeros_like(h)
    inner = (slice(1, -1), slice(1, -1))
    volume = h[inner].sum() * dx * dx

    snapshots = [(0.0, h[inner].copy())]
    times, highest = [], []
    for number in range(1, args.steps + 1):
        step(h, hu, hv, dt / dx)
        times.append(number * dt)
        highest.append(h[inner].max())
        if number in (args.steps // 3, args.steps):
            snapshots.append((number * dt, h[inner].copy()))

    loss = h[inner].sum() * dx * dx / volume - 1.0
    speed = np.sqrt((hu[inner] / h[inner]) ** 2 + (hv[inner] / h[inner]) ** 2)
    print(f"{args.size} x {args.size} cells, {args.steps} steps of {dt * 1e3:.4f} ms")
    print(f"volume {volume:.6f} m^3, relative change {loss:.3e}")
    print(f"height from {h[inner].min():.8f} to {h[inner].max():.8f} m")
    print(f"fastest water {speed.max():.8f} m/s")
    np.savez(args.output / "shallow_water.npz", height=h[inner], highest=highest, hu=hu, hv=hv)

    figure, axes = plt.subplots(1, 4, figsize=(17, 3.9), layout="constrained")
    for axis, (time, height) in zip(axes[:3], snapshots, strict=True):
        image = axis.imshow(
            100.0 * (height - DEPTH),
            origin="lower",
            cmap="RdBu_r",
            vmin=-15,
            vmax=15,
            extent=[0, BASIN, 0, BASIN],
        )
        axis.set(title=f"t = {time:.2f} s", xlabel="x [m]", ylabel="y [m]")
    figure.colorbar(image, ax=axes[:3], label="height above rest [cm]", extend="both")
    axes[3].plot(times, 100.0 * (np.array(highest) - DEPTH))
    axes[3].set(title="Highest wave", xlabel="time [s]", ylabel="height above rest [cm]")
    figure.savefig(args.output / "shallow_water.png", dpi=100)


if __name__ == "__main__":
    main()
