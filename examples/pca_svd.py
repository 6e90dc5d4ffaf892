"""Principal components of photographs: what small patches of two pictures are made of.

The 8 x 8 colour patches (one every fourth pixel each way) of the two photographs in scikit-learn's
wheel form the rows of a matrix; the singular value decomposition of the centred matrix gives the
principal components.  A picture is then rebuilt from its first few.
Source: I. T. Jolliffe, Principal Component Analysis, 2nd edition (2002), section 3.5.
The small singular vectors' entries pass through zero, hence the absolute tolerance.
"""
# tolerance: rtol=1e-12 atol=1e-12
# quick: --stride 12

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

SIDE = 8


def patches(photo, stride):
    """Every SIDE x SIDE patch as one row, from the top left corner in steps of `stride`."""
    rows = range(0, photo.shape[0] - SIDE + 1, stride)
    columns = np.arange(0, photo.shape[1] - SIDE + 1, stride)
    cell = columns[:, np.newaxis] + np.arange(SIDE)
    strips = [photo[row : row + SIDE][:, cell].swapaxes(0, 1) for row in rows]
    return np.concatenate(strips).reshape(-1, SIDE * SIDE * 3)


def mosaic(rows, height, width):
    """Undo `patches` for patches that lie side by side."""
    grid = rows.reshape(height // SIDE, width // SIDE, SIDE, SIDE, 3)
    return grid.swapaxes(1, 2).reshape(height, width, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stride", type=int, default=4, help="pixels between two patches")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    photos = [np.asarray(image) / 255.0 for image in load_sample_images().images]
    data = np.concatenate([patches(photo, args.stride) for photo in photos])
    mean = data.mean(axis=0)
    centered = data - mean
    _, singular, components = np.linalg.svd(centered, full_matrices=False)
    variance = singular**2 / (len(data) - 1)
    explained = np.cumsum(variance) / variance.sum()

    # The sign of a component is free: let its largest entry be positive.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(len(components)), largest])[:, np.newaxis]

    china = photos[0]
    height, width = (china.shape[0] // SIDE) * SIDE, (china.shape[1] // SIDE) * SIDE
    tiles = patches(china[:height, :width], SIDE) - mean
    print(f"{len(data)} patches of {data.shape[1]} values")
    rebuilt, errors = {}, {}
    for count in (1, 4, 16, 64):
        scores = tiles @ components[:count].T
        rebuilt[count] = mosaic(scores @ components[:count] + mean, height, width)
        errors[count] = np.sqrt(((rebuilt[count] - china[:height, :width]) ** 2).mean())
        print(
            f"{count:3d} components explain {explained[count - 1]:.8%} of the variance,"
            f" error of the rebuilt picture {errors[count]:.8f}"
        )
    scores = centered @ components[:16].T
    print(
        "standard deviations of the first scores:",
        " ".join(f"{value:.8f}" for value in scores.std(axis=0)[:6]),
    )
    np.savez(
        args.output / "pca_svd.npz",
        singular=singular,
        components=components[:16],
        errors=list(errors.values()),
    )

    figure = plt.figure(figsize=(15, 7), layout="constrained")
    grid = figure.add_gridspec(2, 3)
    pictures = [("Photograph", china[:height, :width])]
    pictures += [(f"{count} of {data.shape[1]} components", rebuilt[count]) for count in (1, 4, 16)]
    for place, (title, picture) in zip([(0, 0), (0, 1), (0, 2), (1, 0)], pictures, strict=True):
        axis = figure.add_subplot(grid[place])
        axis.imshow(np.clip(picture, 0.0, 1.0))
        axis.set_title(title)
        axis.axis("off")
    sheet = np.full((4 * (SIDE + 1) - 1, 8 * (SIDE + 1) - 1, 3), 1.0)
    for k in range(32):
        row, column = k // 8 * (SIDE + 1), k % 8 * (SIDE + 1)
        patch = components[k].reshape(SIDE, SIDE, 3)
        sheet[row : row + SIDE, column : column + SIDE] = 0.5 + 0.5 * patch / np.abs(patch).max()
    axis = figure.add_subplot(grid[1, 1])
    axis.imshow(sheet, interpolation="nearest")
    axis.set_title("The first 32 components")
    axis.axis("off")
    axis = figure.add_subplot(grid[1, 2])
    axis.semilogy(np.arange(1, len(variance) + 1), variance / variance.sum())
    axis.set(title="Spectrum", xlabel="component", ylabel="share of the variance [-]")
    figure.savefig(args.output / "pca_svd.png", dpi=100)


if __name__ == "__main__":
    main()
