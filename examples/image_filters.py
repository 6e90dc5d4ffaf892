"""Filters on a photograph: blur, unsharp mask, edges, edge-preserving smoothing, sepia.

Single precision throughout, as image processing usually is.  The edge-preserving filter is the
anisotropic diffusion of P. Perona and J. Malik, "Scale-space and edge detection using anisotropic
diffusion", IEEE Trans. PAMI 12 (1990), with their second conductivity 1 / (1 + (g / kappa)^2).
Edges: the 3 x 3 operator of I. Sobel and G. Feldman (1968).
Photograph: the summer palace that scikit-learn's wheel carries (china.jpg, 427 x 640, CC BY).
"""
# tolerance: exact
# quick: --enlarge 1 --steps 4

import argparse
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image


def with_border(image, width):
    """The image with its outermost pixels repeated `width` times on every side."""
    rows, columns = image.shape[:2]
    row = np.clip(np.arange(-width, rows + width), 0, rows - 1)
    column = np.clip(np.arange(-width, columns + width), 0, columns - 1)
    return image[row][:, column]


def gaussian_blur(image, sigma):
    """Separable Gaussian blur: first along the rows, then along the columns."""
    width = math.ceil(3.0 * sigma)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-width, width + 1)]
    total = sum(weights)
    rows, columns = image.shape[:2]
    padded = with_border(image, width)
    blurred = np.zeros_like(padded[:, :columns])
    for k, weight in enumerate(weights):
        blurred += np.float32(weight / total) * padded[:, k : k + columns]
    result = np.zeros_like(image)
    for k, weight in enumerate(weights):
        result += np.float32(weight / total) * blurred[k : k + rows]
    return result


def unsharp_mask(image, sigma, amount):
    """The image plus what a blur takes away from it."""
    return np.clip(image + amount * (image - gaussian_blur(image, sigma)), 0.0, 1.0)


def sobel(gray):
    """Length of the brightness gradient at each pixel, per pixel width."""
    p = with_border(gray, 1)
    across = p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:] - p[:-2, :-2] - 2 * p[1:-1, :-2] - p[2:, :-2]
    down = p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:] - p[:-2, :-2] - 2 * p[:-2, 1:-1] - p[:-2, 2:]
    return np.sqrt(across * across + down * down) / 8


def perona_malik(image, steps, kappa, rate=0.2):
    """Diffusion that stops at edges: smooths the areas and keeps the contours."""
    u = image.copy()
    for _ in range(steps):
        down = u[1:] - u[:-1]
        right = u[:, 1:] - u[:, :-1]
        flow_down = rate * down / (1 + (down / kappa) ** 2)
        flow_right = rate * right / (1 + (right / kappa) ** 2)
        u[:-1] += flow_down
        u[1:] -= flow_down
        u[:, :-1] += flow_right
        u[:, 1:] -= flow_right
    return u


def sepia(image):
    """Old photograph: every channel becomes a mixture of the three."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    toned = np.stack(
        [
            0.393 * red + 0.769 * green + 0.189 * blue,
            0.349 * red + 0.686 * green + 0.168 * blue,
            0.272 * red + 0.534 * green + 0.131 * blue,
        ],
        axis=-1,
    )
    return np.minimum(toned, 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--enlarge", type=int, default=2, help="repeat each pixel this often")
    parser.add_argument("--steps", type=int, default=24, help="steps of the diffusion")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    photo = load_sample_image("china.jpg")
    photo = np.repeat(np.repeat(photo, args.enlarge, axis=0), args.enlarge, axis=1)
    image = photo.astype(np.float32) / 255
    gray = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
    results = {
        "Photograph": image,
        "Gaussian blur, σ = 6 pixels": gaussian_blur(image, 6.0),
        "Unsharp mask": unsharp_mask(image, 3.0, 1.5),
        "Sobel edges": sobel(gray),
        f"Perona-Malik, {args.steps} steps": perona_malik(image, args.steps, 0.06),
        "Sepia": sepia(image),
    }

    print(f"photograph of {image.shape[0]} x {image.shape[1]} pixels")
    for name, picture in results.items():
        print(f"{name.split(',')[0]}: mean {picture.mean(dtype=np.float64):.8f}, contrast {picture.std(dtype=np.float64):.8f}")
    np.savez(
        args.output / "image_filters.npz",
        **{
            name.split(",")[0].lower().replace(" ", "_").replace("-", "_"): picture[::4, ::4] for name, picture in results.items()
        },
    )

    figure, axes = plt.subplots(2, 3, figsize=(15, 7.4), layout="constrained")
    for axis, (name, picture) in zip(axes.flat, results.items(), strict=True):
        if picture.ndim == 2:
            shown = axis.imshow(picture, cmap="gray", vmin=0.0, vmax=0.25)
            figure.colorbar(shown, ax=axis, label="gradient [1/pixel]", shrink=0.8)
        else:
            axis.imshow(picture)
        axis.set_title(name)
        axis.axis("off")
    figure.savefig(args.output / "image_filters.png", dpi=100)


if __name__ == "__main__":
    main()
