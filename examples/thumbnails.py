"""Thumbnails of photographs on all cores: every photograph cut into overlapping squares, each scaled to several sizes.

The photographs are those that scikit-learn and Matplotlib carry. A task gets the photograph and says which square of it is meant,
as one writes it first; the squares come back as arrays. A contact sheet of the liveliest squares is drawn at the end.
"""
# tolerance: rtol=0
# quick: --step 96

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.cbook as cbook
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images

SIZES = (96, 48, 24)  # pixels
SHOWN = 8  # squares of each photograph on the contact sheet


def photographs():
    """Names and pictures, arrays of height x width x 3 bytes."""
    samples = load_sample_images()
    found = {Path(name).stem: np.ascontiguousarray(image) for name, image in zip(samples.filenames, samples.images, strict=True)}
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        found["grace_hopper"] = np.asarray(Image.open(file).convert("RGB"))
    return found


def thumbnails(photo, top, left, side):
    """One square of the photograph in every size, sharpened, and how lively it is: the mean deviation of its smallest picture."""
    square = Image.fromarray(photo[top : top + side, left : left + side])
    pictures = [
        np.asarray(square.resize((size, size), Image.Resampling.LANCZOS).filter(ImageFilter.UnsharpMask(1, 80))) for size in SIZES
    ]
    return pictures, float(np.std(pictures[-1]))


def squares(photo, side, step):
    height, width = photo.shape[:2]
    return [(top, left, side) for top in range(0, height - side + 1, step) for left in range(0, width - side + 1, step)]


def apart(places, liveliness, count):
    """Indices of the liveliest squares, none of which lies within half a side of another."""
    chosen = []
    for index in np.argsort(-liveliness, kind="stable").tolist():
        top, left, side = places[index]
        if all(max(abs(top - places[other][0]), abs(left - places[other][1])) >= side // 2 for other in chosen):
            chosen.append(index)
            if len(chosen) == count:
                break
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=160, help="side of a square [pixels]")
    parser.add_argument("--step", type=int, default=24, help="distance of squares [pixels]")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    photos, saved = photographs(), {}
    figure, axes = plt.subplots(len(photos), SHOWN, figsize=(12, 5.2), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    with ProcessPoolExecutor() as pool:
        for row, (name, photo) in enumerate(photos.items()):
            places = squares(photo, args.side, args.step)
            futures = [pool.submit(thumbnails, photo, *place) for place in places]
            results = [future.result() for future in futures]
            liveliness = np.array([lively for _, lively in results])
            saved[name] = liveliness
            sums = [sum(int(pictures[i].sum()) for pictures, _ in results) for i in range(len(SIZES))]
            print(f"{name}: {len(results)} squares, liveliness {liveliness.mean():.6f}, sums {sums}")
            for axis, index in zip(axes[row], apart(places, liveliness, SHOWN), strict=False):
                axis.imshow(results[index][0][0])
                axis.set_title(f"{name}: {liveliness[index]:.0f}", fontsize=8)
    np.savez(args.output / "thumbnails.npz", **saved)
    figure.suptitle("Squares of the photographs with the largest deviation of brightness [of 255]")
    figure.savefig(args.output / "thumbnails.png", dpi=100)


if __name__ == "__main__":
    main()
