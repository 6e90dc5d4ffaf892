"""k-means on 1797 handwritten digits: the images fall into clusters without anybody naming them.

Lloyd's algorithm from several random starts; the run with the smallest inertia wins.
Data: the UCI optical digits (8 x 8 pixels) that scikit-learn's wheel carries.
Source: S. Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28 (1982).
"""
# tolerance: exact
# quick: --starts 2

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits


def lloyd(points, centers, limit=100):
    """Centers, the cluster of each point, and the inertia, from the given first centers."""
    inertia = np.inf
    for _ in range(limit):
        distance2 = ((points[:, np.newaxis, :] - centers[np.newaxis, :, :]) ** 2).sum(axis=2)
        cluster = distance2.argmin(axis=1)
        previous, inertia = inertia, distance2.min(axis=1).sum()
        if inertia == previous:
            break
        for k in range(len(centers)):
            members = points[cluster == k]
            if len(members) > 0:
                centers[k] = members.mean(axis=0)
    return centers, cluster, inertia


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--starts", type=int, default=20, help="random starts")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    pixels, digit = load_digits(return_X_y=True)
    points = np.array(pixels) / 16.0
    rng = np.random.default_rng(1957)

    best = None
    inertias = []
    for _ in range(args.starts):
        first = points[rng.choice(len(points), size=args.clusters, replace=False)]
        result = lloyd(points, first)
        inertias.append(result[2])
        if best is None or result[2] < best[2]:
            best = result
    centers, cluster, inertia = best

    # Name each cluster by the digit that most of its members show.
    names = np.array([np.bincount(digit[cluster == k], minlength=10).argmax() for k in range(args.clusters)])
    correct = names[cluster] == digit
    print(f"{len(points)} images, {args.clusters} clusters, {args.starts} starts")
    print("inertia of each start:", " ".join(f"{value:.6f}" for value in inertias))
    print(f"best inertia {inertia:.8f}; named by majority, {correct.mean():.4%} of images fit")
    np.savez(args.output / "k_means.npz", centers=centers, cluster=cluster, inertias=inertias)

    order = np.argsort(names, kind="stable")
    columns = (args.clusters + 1) // 2
    figure, axes = plt.subplots(2, columns, figsize=(2 * columns, 4.6), layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, k in zip(axes.flat[: len(order)], order, strict=True):
        image = axis.imshow(centers[k].reshape(8, 8), cmap="gray_r", vmin=0.0, vmax=1.0)
        axis.set_title(f"“{names[k]}”, {np.sum(cluster == k)} images")
    figure.colorbar(image, ax=axes, label="mean ink [fraction of full]", shrink=0.6)
    figure.suptitle(f"Cluster centres of the handwritten digits ({correct.mean():.1%} fit)")
    figure.savefig(args.output / "k_means.png", dpi=100)


if __name__ == "__main__":
    main()
