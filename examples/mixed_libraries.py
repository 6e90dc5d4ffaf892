"""Light on a mountain range: NumPy arrays handed to SciPy, pandas and Matplotlib and back.

SciPy refines an elevation model with splines and smooths it, NumPy computes slopes and how much
light each point gets when the sun goes round it, pandas tabulates both by height, SciPy fits a
line, Matplotlib draws the map.  Hill shading: B. K. P. Horn, "Hill shading and the reflectance
map", Proceedings of the IEEE 69 (1981).
Data: the Jacksboro fault in Tennessee (USGS), 344 x 403 points, which Matplotlib's wheel carries.
"""
# tolerance: rtol=1e-12
# quick: --zoom 1 --suns 8

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import ndimage, stats

SPACING = 93.0  # m between two points of the model, 3 seconds of arc
ELEVATION_OF_SUN = np.radians(40.0)


def slope_and_aspect(height, spacing):
    """Steepness and the direction of the steepest descent, both in radians."""
    east = np.zeros_like(height)
    north = np.zeros_like(height)
    east[:, 1:-1] = (height[:, 2:] - height[:, :-2]) / (2.0 * spacing)
    north[1:-1, :] = (height[:-2, :] - height[2:, :]) / (2.0 * spacing)
    return np.arctan(np.sqrt(east * east + north * north)), np.arctan2(-north, -east)


def light(slope, aspect, azimuth):
    """Share of the sunlight that falls on each point."""
    direct = np.sin(ELEVATION_OF_SUN) * np.cos(slope)
    tilted = np.cos(ELEVATION_OF_SUN) * np.sin(slope) * np.cos(azimuth - aspect)
    return np.maximum(direct + tilted, 0.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zoom", type=int, default=3, help="points per point of the model")
    parser.add_argument("--suns", type=int, default=32, help="directions of the sun")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    with matplotlib.cbook.get_sample_data("jacksboro_fault_dem.npz") as model:
        elevation = model["elevation"].astype(np.float64)
    height = ndimage.zoom(elevation, args.zoom, order=3)
    height = ndimage.gaussian_filter(height, sigma=args.zoom / 2)

    slope, aspect = slope_and_aspect(height, SPACING / args.zoom)
    total = np.zeros_like(height)
    for azimuth in np.linspace(0.0, 2.0 * np.pi, args.suns, endpoint=False):
        total += light(slope, aspect, azimuth)
    total /= args.suns

    table = pd.DataFrame(
        {
            "height": height.ravel(),
            "slope": np.degrees(slope).ravel(),
            "light": total.ravel(),
        }
    )
    table["band"] = pd.cut(table["height"], np.arange(200.0, 1100.0, 100.0))
    bands = table.groupby("band", observed=True).agg(points=("height", "size"), slope=("slope", "mean"), light=("light", "mean"))
    fit = stats.linregress(table["slope"], table["light"])

    print(f"{height.shape[0]} x {height.shape[1]} points, {args.suns} suns")
    print(bands.to_string(float_format="{:.6f}".format))
    print(f"light = {fit.intercept:.8f} {fit.slope:+.8f} x slope in degrees, correlation {fit.rvalue:.8f}")
    bands.to_csv(args.output / "mixed_libraries.csv")
    np.savez(args.output / "mixed_libraries.npz", light=total[::3, ::3], slope=slope[::3, ::3])

    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5), layout="constrained", width_ratios=[3, 2])
    kilometres = np.array(height.shape) * SPACING / args.zoom / 1000.0
    extent = [0.0, kilometres[1], 0.0, kilometres[0]]
    image = left.imshow(height, cmap="terrain", extent=extent, vmin=0.0)
    left.imshow(light(slope, aspect, np.radians(135.0)), cmap="gray", extent=extent, alpha=0.45)
    left.set(title="Jacksboro fault, sun in the north-west", xlabel="east [km]", ylabel="north [km]")
    figure.colorbar(image, ax=left, label="height [m]")
    right.hexbin(table["slope"], table["light"], gridsize=60, bins="log", cmap="Blues", mincnt=1)
    line = np.array([0.0, table["slope"].max()])
    right.plot(line, fit.intercept + fit.slope * line, "r--", label="straight-line fit")
    right.set(title="Light and slope", xlabel="slope [degrees]", ylabel="mean light [-]")
    right.legend()
    figure.savefig(args.output / "mixed_libraries.png", dpi=100)


if __name__ == "__main__":
    main()
