"""Heat spreading through a copper plate: the 2-D heat equation with an in-place stencil.

A square plate of 20 cm is cooled to 20 degrees at its edges; three heaters stand on it and are
switched off half-way.  The equation du/dt = alpha (d2u/dx2 + d2u/dy2) is stepped explicitly with
the five-point Laplacian at the largest stable time step, dt = dx^2 / (4 alpha).
Source: W. H. Press et al., Numerical Recipes, 3rd edition, section 20.2 (FTCS scheme).
"""
# tolerance: exact
# quick: --size 160 --steps 200

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

PLATE = 0.20  # m, length of a side
ALPHA = 1.11e-4  # m^2/s, thermal diffusivity of copper
AMBIENT = 20.0  # degrees Celsius
HEATERS = [(0.30, 0.30, 0.10, 180.0), (0.65, 0.55, 0.14, 120.0), (0.35, 0.75, 0.06, 240.0)]


def heater_mask(size):
    """Temperature that each heated cell is held at, and which cells are heated."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1)
    temperature = np.full((size, size), AMBIENT)
    for center_x, center_y, radius, heat in HEATERS:
        inside = (x - center_x) ** 2 + (y - center_y) ** 2 < radius**2
        temperature[inside] = heat
    return temperature, temperature > AMBIENT


def diffuse(u, r):
    """One explicit step, in place; the edge cells keep their temperature."""
    u[1:-1, 1:-1] += r * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="grid points along a side")
    parser.add_argument("--steps", type=int, default=3000, help="time steps")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    dx = PLATE / (args.size - 1)
    r = 0.25
    dt = r * dx**2 / ALPHA
    heat, heated = heater_mask(args.size)
    u = np.full((args.size, args.size), AMBIENT)

    times, means = [], []
    for step in range(args.steps):
        if step < args.steps // 2:
            u[heated] = heat[heated]
        diffuse(u, r)
        if step == args.steps // 2 - 1:
            switched_off = u.copy()
        if step % 10 == 0:
            times.append((step + 1) * dt)
            means.append(u.mean())

    print(f"{args.size} x {args.size} grid, {args.steps} steps of {dt * 1e3:.4f} ms")
    print(f"when switched off: mean {switched_off.mean():.6f}, max {switched_off.max():.6f} C")
    print(f"at the end:        mean {u.mean():.6f}, max {u.max():.6f} C")
    np.savez(args.output / "heat.npz", temperature=u, times=times, means=means)

    figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    extent = [0, PLATE * 100, 0, PLATE * 100]
    half = args.steps // 2 * dt
    for axis, field, title in [
        (axes[0], switched_off, f"Heaters switched off, t = {half:.2f} s"),
        (axes[1], u, f"End, t = {args.steps * dt:.2f} s"),
    ]:
        image = axis.imshow(field, origin="lower", extent=extent, cmap="inferno", vmin=AMBIENT, vmax=240.0)
        axis.set(title=title, xlabel="x [cm]", ylabel="y [cm]")
    figure.colorbar(image, ax=axes[:2], label="temperature [°C]")
    axes[2].plot(times, means)
    axes[2].axvline(half, color="gray", linestyle="--", linewidth=1, label="heaters off")
    axes[2].set(title="Mean temperature", xlabel="time [s]", ylabel="temperature [°C]")
    axes[2].legend()
    figure.savefig(args.output / "heat.png", dpi=100)


if __name__ == "__main__":
    main()
