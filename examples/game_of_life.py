"""Conway's Game of Life on a large board, with a glider gun shooting into a random soup.

A dead cell with three neighbours is born; a living one with two or three stays alive.
Source: M. Gardner, "Mathematical Games", Scientific American 223 (October 1970); the gun is
Bill Gosper's of the same year.
"""
# tolerance: exact
# quick: --size 300 --steps 60

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

GUN = """
........................O...........
......................O.O...........
............OO......OO............OO
...........O...O....OO............OO
OO........O.....O...OO..............
OO........O...O.OO....O.O...........
..........O.....O.......O...........
...........O...O....................
............OO......................
"""


def first_board(size, rng):
    """A random soup in the lower right part and the gun in the upper left corner."""
    board = np.zeros((size, size), dtype=np.uint8)
    third = size // 3
    board[third:-1, third:-1] = rng.random((size - third - 1, size - third - 1)) < 0.3
    gun = np.array([[cell == "O" for cell in row] for row in GUN.split()], dtype=np.uint8)
    board[5 : 5 + gun.shape[0], 5 : 5 + gun.shape[1]] = gun
    return board


def step(board):
    """The next generation, in place; the cells on the edge stay dead."""
    neighbours = (
        board[:-2, :-2]
        + board[:-2, 1:-1]
        + board[:-2, 2:]
        + board[1:-1, :-2]
        + board[1:-1, 2:]
        + board[2:, :-2]
        + board[2:, 1:-1]
        + board[2:, 2:]
    )
    alive = board[1:-1, 1:-1] == 1
    board[1:-1, 1:-1] = (neighbours == 3) | (alive & (neighbours == 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1600, help="cells along a side")
    parser.add_argument("--steps", type=int, default=800, help="generations")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    board = first_board(args.size, np.random.default_rng(1970))
    last_alive = np.zeros(board.shape, dtype=np.int16)
    population = [int(board.sum(dtype=np.int64))]
    for generation in range(1, args.steps + 1):
        step(board)
        last_alive[board == 1] = generation
        population.append(int(board.sum(dtype=np.int64)))

    print(f"{args.size} x {args.size} board, {args.steps} generations")
    print(f"population: {population[0]} at the start, {population[-1]} at the end")
    print(f"living cells in the gun's corner: {board[:200, :200].sum(dtype=np.int64)}")
    np.savez(args.output / "game_of_life.npz", board=board, population=population)

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    left.imshow(board[:200, :200], cmap="binary", interpolation="nearest")
    left.set(title="The gun's corner at the end", xlabel="column [cells]", ylabel="row [cells]")
    age = args.steps - last_alive[: args.size // 2, : args.size // 2]
    image = middle.imshow(age, cmap="magma_r", vmin=0, vmax=args.steps)
    middle.set(title="Time since each cell lived", xlabel="column [cells]", ylabel="row [cells]")
    figure.colorbar(image, ax=middle, label="generations since last alive")
    right.plot(population)
    right.set(title="Population", xlabel="generation", ylabel="living cells")
    figure.savefig(args.output / "game_of_life.png", dpi=100)


if __name__ == "__main__":
    main()
