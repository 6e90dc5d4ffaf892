"""The Mandelbrot set in tiles of uneven cost: those inside the set take every iteration, those far outside almost none.

One task a tile, plain Python in each; the pool hands out tiles as workers become free. z -> z^2 + c as in `mandelbrot.py`.
"""
# tolerance: rtol=0
# quick: --columns 192 --limit 120

import argparse
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

CENTER, WIDTH = complex(-0.75, 0.0), 3.2


def escape_counts(top, left, rows, columns, pixel, limit):
    """Iterations until |z| > 2 for each pixel of a tile, `limit` where it stays, and the seconds that it took."""
    begin = time.perf_counter()
    counts = bytearray(2 * rows * columns)
    at = 0
    for row in range(top, top + rows):
        for column in range(left, left + columns):
            c = CENTER + complex(column * pixel - WIDTH / 2, row * pixel - WIDTH * 3 / 8)
            z, n = 0j, 0
            while n < limit and z.real * z.real + z.imag * z.imag <= 4.0:
                z = z * z + c
                n += 1
            counts[at : at + 2] = n.to_bytes(2, "little")
            at += 2
    return bytes(counts), time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=480, help="width of the picture [pixels]")
    parser.add_argument("--tile", type=int, default=4, help="side of a tile [pixels]; small ones spread evenly")
    parser.add_argument("--limit", type=int, default=250, help="iterations at most")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    columns, rows = args.columns, args.columns * 3 // 4
    pixel = WIDTH / columns
    picture = np.zeros((rows, columns), dtype=np.uint16)
    with ProcessPoolExecutor() as pool:
        tiles = {}
        for top in range(0, rows, args.tile):
            for left in range(0, columns, args.tile):
                height, width = min(args.tile, rows - top), min(args.tile, columns - left)
                future = pool.submit(escape_counts, top, left, height, width, pixel, args.limit)
                tiles[future] = (slice(top, top + height), slice(left, left + width))
        for future in as_completed(tiles):
            counts, _ = future.result()
            place = tiles[future]
            height, width = (part.stop - part.start for part in place)
            picture[place] = np.frombuffer(counts, dtype="<u2").reshape(height, width)
    inside = int((picture == args.limit).sum())
    print(f"{len(tiles)} tiles, {int(picture.sum(dtype=np.int64))} iterations, {inside} of {picture.size} pixels inside")

    np.savez(args.output / "mandelbrot_tiles.npz", iterations=picture)
    figure, axis = plt.subplots(figsize=(8, 6), layout="constrained")
    shown = np.where(picture == args.limit, np.nan, np.log2(picture + 1.0))
    image = axis.imshow(shown, cmap=plt.colormaps["magma"].with_extremes(bad="black"), origin="lower")
    axis.set(title="Iterations until escape, computed in tiles", xlabel="column [pixel]", ylabel="row [pixel]")
    figure.colorbar(image, ax=axis, label="log₂ of iterations [-]")
    figure.savefig(args.output / "mandelbrot_tiles.png", dpi=100)


if __name__ == "__main__":
    main()
