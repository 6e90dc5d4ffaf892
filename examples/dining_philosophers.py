"""Dining philosophers: as many forks as philosophers, and each needs the two beside him.

Polite ones take the fork with the lower number first, and all get to eat. With --hungry each takes his left one, waits until all
have one, and wants the right one: nobody ever eats.

Run: python dining_philosophers.py [--philosophers N] [--meals N] [--hungry]
"""

import argparse
import threading

# quick: --philosophers 5 --meals 20
# tolerance: rtol=0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--philosophers", type=int, default=5)
    parser.add_argument("--meals", type=int, default=2000)
    parser.add_argument("--hungry", action="store_true")
    args = parser.parse_args()
    count = args.philosophers
    forks = [threading.Lock() for _ in range(count)]
    meals = [0] * count
    table = threading.Barrier(count)

    def dine(seat):
        left, right = seat, (seat + 1) % count
        for _ in range(args.meals):
            if args.hungry:
                with forks[left]:
                    table.wait()
                    with forks[right]:
                        meals[seat] += 1
            else:
                with forks[min(left, right)], forks[max(left, right)]:
                    meals[seat] += 1

    philosophers = [threading.Thread(target=dine, args=(seat,), name=f"philosopher {seat}") for seat in range(count)]
    for philosopher in philosophers:
        philosopher.start()
    for philosopher in philosophers:
        philosopher.join()
    for seat, eaten in enumerate(meals):
        print(f"philosopher {seat} has eaten {eaten} times")


if __name__ == "__main__":
    main()
