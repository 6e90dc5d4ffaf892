"""A large CSV file on all cores: read in chunks, each reworked by a pool of processes, written to another file in order.

The file, measurements of many stations, is made first, in a temporary folder. What remains of it is told by numbers: rows, the
mean of a column, and the checksum of the file that was written. A line on the terminal shows how far it is.
"""
# tolerance: rtol=0
# quick: --megabytes 2 --rows 5000

import argparse
import hashlib
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

COLUMNS = ["station", "hour", "celsius", "hectopascal", "percent", "metres_per_second"]


def make(path, megabytes, seed):
    """Measurements as text; the same block again and again until the file is large enough."""
    chance = random.Random(seed)
    rows = [
        f"{chance.randrange(500)},{hour % 24},{chance.gauss(9, 8):.3f},{chance.gauss(1013, 9):.3f},"
        f"{chance.uniform(20, 100):.2f},{chance.expovariate(0.25):.4f}\n"
        for hour in range(20_000)
    ]
    block = "".join(rows)
    with open(path, "w") as file:
        file.write(",".join(COLUMNS) + "\n")
        for _ in range(max(1, megabytes * 1_000_000 // len(block))):
            file.write(block)


def transform(chunk):
    """What is felt: dew point and wind chill, in tenths; only rows that are plausible. The text of the lines and a sum."""
    good = chunk[(chunk["celsius"].abs() < 60) & chunk["percent"].between(1, 100)].copy()
    good["dew_point"] = good["celsius"] - (100 - good["percent"]) / 5
    wind = (3.6 * good["metres_per_second"]).pow(0.16)
    felt = 13.12 + 0.6215 * good["celsius"] - 11.37 * wind + 0.3965 * good["celsius"] * wind
    good["felt"] = felt.where(good["celsius"] < 10, good["celsius"])
    text = good[["station", "hour", "dew_point", "felt"]].round(1).to_csv(index=False, header=False)
    return len(good), float(good["felt"].sum()), text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200, help="size of the file")
    parser.add_argument("--rows", type=int, default=100_000, help="of a chunk")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "measured.csv"), Path(folder, "felt.csv")
        make(source, args.megabytes, args.seed)
        rows, total, begin = 0, 0.0, time.perf_counter()
        with multiprocessing.Pool() as pool, open(target, "w") as file, pd.read_csv(source, chunksize=args.rows) as reader:
            file.write("station,hour,dew_point,felt\n")
            for count, felt, text in pool.imap(transform, reader):
                rows, total = rows + count, total + felt
                file.write(text)
                if sys.stderr.isatty():
                    rate = rows / (time.perf_counter() - begin)
                    print(f"\r{rows:,} rows, {rate:,.0f} a second", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        checksum = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{rows} rows, {total / rows:.6f} degrees are felt on average, sha256 {checksum[:16]}")


if __name__ == "__main__":
    main()
