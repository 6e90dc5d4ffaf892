"""The Mandelbrot set with smooth colours.

Each point c of the plane is iterated, z -> z^2 + c from zero, until |z| leaves a large circle;
points that have left are dropped from the arrays, so that only the undecided ones cost time.
Smooth iteration count: F. Garcia et al., "Coloring Dynamical Systems in the Complex Plane" (2009).
"""
# tolerance: rtol=1e-12
# quick: --columns 240 --limit 80

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

HORIZON2 = 2.0**20  # squared radius of the circle beyond which a point has escaped
VIEWS = [("The whole set", -0.75, 0.0, 3.2), ("Seahorse valley", -0.7436, 0.1319, 0.012)]


def escape_times(center_x, center_y, width, columns, rows, limit):
    """Smooth number of iterations until each pixel escapes; nan where it never does."""
    pixel = width / columns
    a = center_x + pixel * (np.arange(columns) - 0.5 * (columns - 1))
    b = center_y + pixel * (np.arange(rows) - 0.5 * (rows - 1))
    a, b = np.broadcast_arrays(a[np.newaxis, :], b[:, np.newaxis])
    a, b = a.ravel(), b.ravel()
    times = np.full(rows * columns, np.nan)
    pixels = np.arange(rows * columns)
    x, y = np.zeros(pixels.size), np.zeros(pixels.size)
    for iteration in range(1, limit + 1):
        x, y = x * x - y * y + a, 2.0 * x * y + b
        distance2 = x * x + y * y
        inside = distance2 <= HORIZON2
        outside = ~inside
        if outside.any():
            times[pixels[outside]] = iteration + 1 - np.log2(0.5 * np.log(distance2[outside]))
            pixels, x, y, a, b = pixels[inside], x[inside], y[inside], a[inside], b[inside]
    return times.reshape(rows, columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=1200, help="width of each picture")
    parser.add_argument("--limit", type=int, default=200, help="iterations at most")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    rows = args.columns * 3 // 4
    figure, axes = plt.subplots(1, 2, figsize=(14, 4.8), layout="constrained")
    colors = plt.colormaps["twilight_shifted"].with_extremes(bad="black")
    saved = {}
    for axis, (title, x, y, width) in zip(axes, VIEWS, strict=True):
        times = escape_times(x, y, width, args.columns, rows, args.limit)
        escaped = ~np.isnan(times)
        print(f"{title}: {escaped.sum()} of {times.size} points escape, on average after {times[escaped].mean():.8f} iterations")
        saved[title.lower().replace(" ", "_")] = times
        height = width * rows / args.columns
        image = axis.imshow(
            np.sqrt(times),
            origin="lower",
            cmap=colors,
            extent=[x - width / 2, x + width / 2, y - height / 2, y + height / 2],
        )
        axis.set(title=title, xlabel="real part [-]", ylabel="imaginary part [-]")
        figure.colorbar(image, ax=axis, label="√ of iterations to escape [-]")
    np.savez(args.output / "mandelbrot.npz", **saved)
    figure.savefig(args.output / "mandelbrot.png", dpi=100)


if __name__ == "__main__":
    main()
