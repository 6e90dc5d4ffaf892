"""Two star clusters passing through each other: direct N-body gravity with a leapfrog.

Every star pulls every other one, with Plummer softening; units are G = M = 1 per cluster.
The integrator is the kick-drift-kick leapfrog, which keeps the energy nearly constant.
Source: S. J. Aarseth, Gravitational N-Body Simulations (2003), sections 1.2 and 8.1.
"""
# tolerance: exact
# quick: --stars 200 --steps 60

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

SOFTENING = 0.05


def accelerations(position, mass):
    """Pull of all stars on each star."""
    x, y, z = position
    dx = x[np.newaxis, :] - x[:, np.newaxis]
    dy = y[np.newaxis, :] - y[:, np.newaxis]
    dz = z[np.newaxis, :] - z[:, np.newaxis]
    distance2 = dx * dx + dy * dy + dz * dz + SOFTENING**2
    pull = mass / (distance2 * np.sqrt(distance2))
    return np.stack([(dx * pull).sum(axis=1), (dy * pull).sum(axis=1), (dz * pull).sum(axis=1)])


def energy(position, velocity, mass):
    """Kinetic plus potential energy of the whole system."""
    kinetic = 0.5 * (mass * (velocity**2).sum(axis=0)).sum()
    x, y, z = position
    distance2 = SOFTENING**2 + sum((c[np.newaxis, :] - c[:, np.newaxis]) ** 2 for c in (x, y, z))
    pairs = mass[:, np.newaxis] * mass[np.newaxis, :] / np.sqrt(distance2)
    potential = -0.5 * (pairs.sum() - (mass**2).sum() / SOFTENING)
    return kinetic + potential


def two_clusters(stars, rng):
    """Two rotating discs side by side, moving towards each other."""
    half = stars // 2
    position = rng.normal(scale=[[1.0], [1.0], [0.1]], size=(3, stars))
    radius = np.sqrt(position[0] ** 2 + position[1] ** 2)
    speed = np.sqrt(radius / (0.6 + radius**2))
    velocity = np.stack([-position[1] / radius * speed, position[0] / radius * speed, np.zeros(stars)])
    position[:, :half] += [[-2.5], [-0.8], [0.0]]
    position[:, half:] += [[2.5], [0.8], [0.0]]
    velocity[:, :half] += [[0.35], [0.0], [0.0]]
    velocity[:, half:] += [[-0.35], [0.0], [0.0]]
    return position, velocity, np.full(stars, 1.0 / half)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=int, default=800)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    position, velocity, mass = two_clusters(args.stars, np.random.default_rng(1687))
    dt = 6.0 / args.steps
    snapshots = [position.copy()]
    energies = [energy(position, velocity, mass)]
    acceleration = accelerations(position, mass)
    for step in range(1, args.steps + 1):
        velocity += 0.5 * dt * acceleration
        position += dt * velocity
        acceleration = accelerations(position, mass)
        velocity += 0.5 * dt * acceleration
        if step % max(1, args.steps // 50) == 0:
            energies.append(energy(position, velocity, mass))
        if step in (args.steps // 2, args.steps):
            snapshots.append(position.copy())

    drift = np.abs(np.array(energies) / energies[0] - 1.0)
    center = (mass * position).sum(axis=1) / mass.sum()
    print(f"{args.stars} stars, {args.steps} steps of {dt:.6f}")
    print(f"energy {energies[0]:.10f} at the start, {energies[-1]:.10f} at the end")
    print(f"largest relative change of the energy: {drift.max():.3e}")
    print(f"centre of mass: {center[0]:.8f} {center[1]:.8f} {center[2]:.8f}")
    np.savez(args.output / "n_body.npz", position=position, velocity=velocity, energies=energies)

    figure, axes = plt.subplots(1, 4, figsize=(16, 4), layout="constrained")
    half = args.stars // 2
    for axis, stars, time in zip(axes[:3], snapshots, (0.0, 3.0, 6.0), strict=True):
        axis.plot(stars[0, :half], stars[1, :half], ".", color="tab:blue", markersize=2)
        axis.plot(stars[0, half:], stars[1, half:], ".", color="tab:red", markersize=2)
        axis.set(
            title=f"t = {time:g}",
            xlabel="x [length unit]",
            ylabel="y [length unit]",
            xlim=(-6, 6),
            ylim=(-6, 6),
            aspect="equal",
        )
    axes[3].plot(np.linspace(0.0, 6.0, len(drift)), drift)
    axes[3].set(title="Change of the total energy", xlabel="time [time unit]", ylabel="relative change [-]")
    figure.savefig(args.output / "n_body.png", dpi=100)


if __name__ == "__main__":
    main()
