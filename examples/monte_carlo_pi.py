"""Pi by Monte Carlo: the share of random points in the unit square that lie in the quarter disc.

The share estimates pi/4; its standard error falls as one over the square root of the points.
Source: N. Metropolis and S. Ulam, "The Monte Carlo Method", J. Am. Stat. Assoc. 44 (1949).
"""
# tolerance: exact
# quick: --batches 4 --points 500000

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--points", type=int, default=2_000_000, help="points in a batch")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(1949)
    hits = []
    for _ in range(args.batches):
        x = rng.random(args.points)
        y = rng.random(args.points)
        inside = x * x + y * y <= 1.0
        hits.append(np.count_nonzero(inside))

    points = args.points * np.arange(1, args.batches + 1)
    estimate = 4.0 * np.cumsum(hits) / points
    error = np.sqrt(np.pi * (4.0 - np.pi) / points)
    print(f"{points[-1]} points: pi is about {estimate[-1]:.8f}")
    print(f"off by {estimate[-1] - np.pi:+.8f}; expected standard error {error[-1]:.8f}")
    np.savez(args.output / "monte_carlo_pi.npz", hits=hits, estimate=estimate)

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    shown = slice(0, 4000)
    left.plot(x[shown][inside[shown]], y[shown][inside[shown]], ".", markersize=2, label="inside")
    left.plot(x[shown][~inside[shown]], y[shown][~inside[shown]], ".", markersize=2, label="outside")
    left.set(
        title="The first 4000 points of the last batch",
        xlabel="x [-]",
        ylabel="y [-]",
        aspect="equal",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    left.legend(loc="upper right", markerscale=5, framealpha=0.95)
    right.fill_between(points / 1e6, np.pi - error, np.pi + error, alpha=0.3, label="± one standard error")
    right.plot(points / 1e6, estimate, label="estimate")
    right.axhline(np.pi, color="black", linewidth=1, label="π")
    right.set(title="Convergence", xlabel="points [millions]", ylabel="estimate of π [-]")
    right.legend()
    figure.savefig(args.output / "monte_carlo_pi.png", dpi=100)


if __name__ == "__main__":
    main()
