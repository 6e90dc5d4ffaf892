"""Black-Scholes prices and Greeks of a large book of European options.

Formulae: F. Black and M. Scholes, "The Pricing of Options and Corporate Liabilities", Journal of
Political Economy 81 (1973).  NumPy has no error function, so the normal distribution is written
out: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, formula 26.2.17, whose
absolute error stays below 7.5e-8.
Prices are differences of numbers as large as the spot price of 100, hence the absolute tolerance.
"""
# tolerance: rtol=1e-12 atol=1e-10
# quick: --options 200000

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

SPOT = 100.0
RATE = 0.03


def normal_density(x):
    return np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)


def normal_distribution(x):
    """P(X <= x) for a standard normal X."""
    k = 1.0 / (1.0 + 0.2316419 * np.abs(x))
    polynomial = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))))
    upper_tail = normal_density(x) * polynomial
    return np.where(x >= 0.0, 1.0 - upper_tail, upper_tail)


def price(spot, strike, maturity, rate, volatility):
    """Call price, put price, delta of the call, gamma and vega."""
    root_time = np.sqrt(maturity)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * maturity) / (volatility * root_time)
    d2 = d1 - volatility * root_time
    discounted = strike * np.exp(-rate * maturity)
    delta = normal_distribution(d1)
    call = spot * delta - discounted * normal_distribution(d2)
    put = call - spot + discounted
    density = normal_density(d1)
    gamma = density / (spot * volatility * root_time)
    vega = spot * density * root_time
    return call, put, delta, gamma, vega


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--options", type=int, default=6_000_000, help="options in the book")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(1973)
    strike = 60.0 + 80.0 * rng.random(args.options)
    maturity = 0.1 + 1.9 * rng.random(args.options)
    volatility = 0.10 + 0.40 * rng.random(args.options)
    call, put, delta, gamma, vega = price(SPOT, strike, maturity, RATE, volatility)

    in_the_money = strike < SPOT
    print(f"{args.options} options, spot {SPOT:.2f}, rate {RATE:.2%}")
    print(f"calls worth {call.mean():.8f} on average, up to {call.max():.6f}")
    print(f"puts  worth {put.mean():.8f} on average, up to {put.max():.6f}")
    print(f"mean delta {delta.mean():.8f}, gamma {gamma.mean():.8f}, vega {vega.mean():.6f}")
    print(f"calls in the money: {in_the_money.sum()}, worth {call[in_the_money].mean():.8f}")
    np.savez(
        args.output / "black_scholes.npz",
        call=call[:20_000],
        put=put[:20_000],
        delta=delta[:20_000],
        gamma=gamma[:20_000],
        vega=vega[:20_000],
    )

    strikes = np.linspace(60.0, 140.0, 321)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    for months in (1, 6, 24):
        curve = price(SPOT, strikes, months / 12, RATE, 0.25)
        left.plot(strikes, curve[0], label=f"{months} months" if months > 1 else "1 month")
        middle.plot(strikes, curve[2], label=f"{months} months" if months > 1 else "1 month")
    left.plot(strikes, np.maximum(SPOT - strikes, 0.0), "k--", linewidth=1, label="pay-off today")
    left.set(title="Call price, volatility 25 %", xlabel="strike [$]", ylabel="price [$]")
    middle.set(title="Delta of the call", xlabel="strike [$]", ylabel="delta [-]")
    shown = slice(0, 4000)
    dots = right.scatter(strike[shown], call[shown], c=volatility[shown], s=3, cmap="viridis")
    right.set(title="4000 calls of the book", xlabel="strike [$]", ylabel="price [$]")
    figure.colorbar(dots, ax=right, label="volatility [1/√year]")
    left.legend()
    middle.legend()
    figure.savefig(args.output / "black_scholes.png", dpi=100)


if __name__ == "__main__":
    main()
