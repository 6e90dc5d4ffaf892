"""Producers and consumers: one process makes signals, others look for their strongest tones, the program collects what they find.

Bounded queues keep whoever is ahead waiting, so that only a few signals are in memory at a time.
"""
# tolerance: rtol=0
# quick: --signals 6 --samples 65536

import argparse
import multiprocessing

import numpy as np

TONES = 5


def produce(signals, count, samples, workers):
    """Noise with some tones in it, each signal its own."""
    for number in range(count):
        chance = np.random.default_rng(number)
        time = np.arange(samples)
        signal = chance.normal(size=samples)
        for frequency in chance.choice(samples // 2 - 2, TONES, replace=False) + 1:
            signal += np.sin(2 * np.pi * frequency / samples * time)
        signals.put((number, signal))
    for _ in range(workers):
        signals.put(None)


def search(signals, found):
    """The strongest tones of each signal, and how strong they are."""
    while (item := signals.get()) is not None:
        number, signal = item
        strength = np.abs(np.fft.rfft(signal))[1:]
        strongest = np.sort(np.argpartition(strength, -TONES)[-TONES:])
        found.put((number, strongest + 1, float(strength[strongest].sum())))
    found.put(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, default=60)
    parser.add_argument("--samples", type=int, default=1 << 20, help="of each signal")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()

    signals, found = multiprocessing.Queue(4), multiprocessing.Queue(4)
    arguments = (signals, args.signals, args.samples, args.workers)
    processes = [multiprocessing.Process(target=produce, args=arguments)]
    processes += [multiprocessing.Process(target=search, args=(signals, found)) for _ in range(args.workers)]
    for process in processes:
        process.start()
    results, ended = {}, 0
    while ended < args.workers:
        if (result := found.get()) is None:
            ended += 1
            continue
        number, tones, strength = result
        results[number] = (tones, strength)
    for process in processes:
        process.join()
    right = 0
    for number, (tones, _) in sorted(results.items()):
        chance = np.random.default_rng(number)
        chance.normal(size=args.samples)
        right += set(tones) == set(chance.choice(args.samples // 2 - 2, TONES, replace=False) + 1)
    strength = sum(results[number][1] for number in sorted(results))
    print(f"{len(results)} signals, all {TONES} tones found in {right}, strength {strength:.6f}")


if __name__ == "__main__":
    main()
