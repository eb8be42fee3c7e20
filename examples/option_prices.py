"""
Prices of options
=================

Price options by Monte Carlo with NumPy and with fastrelu, side by side.

A call pays what the price S of a share exceeds the strike K by, relu(S - K); a put pays
relu(K - S). The price of the option is the mean over simulated paths of the share, discounted. S is
the share's price at the end (European options) or its average over all dates (Asian options).

The share follows a geometric Brownian motion. So S is lognormal at the end, as is the geometric
average, and a closed formula gives the exact price. The arithmetic average has no such formula.

NumPy stores the payoffs of a strike before it takes their mean. relu_mean(S, threshold=K) reads S
once and stores nothing.
"""

import argparse
import math
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from command_line import image_of, natural, parser_for, plot_kind, positive, run

import fastrelu
from fastrelu._tool.common import BadInputError, human, whole_file

EPILOG = """\
F. Black and M. Scholes 1973, "The pricing of options and corporate liabilities".
A. Kemna and A. Vorst 1990, "A pricing method for options based on average asset values".
exit status: 0, or 1 if a check fails, 2 on bad input, 130 if interrupted.
"""
SPOT, RATE, VOLATILITY, YEARS, DATES = 100.0, 0.03, 0.2, 1.0, 12
DRIFT = RATE - VOLATILITY**2 / 2
DISCOUNT = math.exp(-RATE * YEARS)
LEAST_PATHS, MOST_PATHS = 1000, 10**12
CHUNK = 1 << 14  # paths that are simulated at a time
ROUNDS = 7
LARGEST_DISTANCE = 6  # from the exact price, in standard errors
NOTES = """
The times are for all {} prices, in float64. times faster: than the first line, the median of {}
rounds. memory: the most that the prices of one option allocate (tracemalloc), beside the {:.2f} MiB
of S.
"""
NORMAL = statistics.NormalDist()


class Option(NamedTuple):
    """Pays relu(sign * (S - K))."""

    name: str
    sign: int
    share: str  # S, by its name in simulate
    log_mean: float | None = None  # of log(S), where S is lognormal
    log_variance: float | None = None


OPTIONS = (
    Option("European call", 1, "end", math.log(SPOT) + DRIFT * YEARS, VOLATILITY**2 * YEARS),
    Option("European put", -1, "end", math.log(SPOT) + DRIFT * YEARS, VOLATILITY**2 * YEARS),
    Option(
        "Asian call, geometric",
        1,
        "geometric",
        math.log(SPOT) + DRIFT * YEARS * (DATES + 1) / (2 * DATES),
        VOLATILITY**2 * YEARS * (DATES + 1) * (2 * DATES + 1) / (6 * DATES**2),
    ),
    Option("Asian call, arithmetic", 1, "arithmetic"),
)


class Contender(NamedTuple):
    """A way to compute the mean of relu(x - k) for each k."""

    name: str
    means: Callable


def numpy_in_place(x, ks):
    payoffs = np.empty_like(x)
    for k in ks:
        np.subtract(x, k, out=payoffs)
        np.maximum(payoffs, 0, out=payoffs)
        yield payoffs.mean()


def subtract_relu(x, ks):
    payoffs = np.empty_like(x)
    for k in ks:
        yield fastrelu.subtract_relu(x, k, out=payoffs).mean()


CONTENDERS = (
    Contender("NumPy", lambda x, ks: (np.maximum(x - k, 0).mean() for k in ks)),
    Contender("NumPy, in place", numpy_in_place),
    Contender("fastrelu.subtract_relu", subtract_relu),
    Contender("fastrelu.relu_mean", lambda x, ks: (fastrelu.relu_mean(x, threshold=k) for k in ks)),
)


class Measured(NamedTuple):
    """What a contender gives and takes."""

    name: str
    means: np.ndarray  # by option and strike
    seconds: list  # for all of them, by round
    peak_bytes: int  # for one option

    def differs(self, other):
        """Return the largest difference from the means of another, relative to them."""
        paid = other.means > 0
        return np.max(np.abs(self.means - other.means)[paid] / other.means[paid], initial=0)


class Prices(NamedTuple):
    """The prices of an option, by strike."""

    option: Option
    found: np.ndarray
    errors: np.ndarray  # standard errors
    exact: np.ndarray  # NaN without a closed formula
    differing: list  # the strikes at which the payoffs are not NumPy's to the bit

    def distances(self):
        """Return the distances from the exact prices in standard errors; NaN if none was paid."""
        return np.divide(
            np.abs(self.found - self.exact),
            self.errors,
            out=np.full_like(self.errors, np.nan),
            where=self.errors > 0,
        )


def simulate(paths, seed, progress):
    """Return the share's price at the end and both of its averages, for each path."""
    rng = np.random.default_rng(seed)
    step = YEARS / DATES
    shares = {name: np.empty(paths) for name in ("end", "geometric", "arithmetic")}
    for start in range(0, paths, CHUNK):
        progress.show(f"simulating: {start:,} of {paths:,} paths ...")
        part = slice(start, min(start + CHUNK, paths))
        logs = rng.standard_normal((DATES, part.stop - start))
        logs *= VOLATILITY * math.sqrt(step)
        logs += DRIFT * step
        logs[0] += math.log(SPOT)
        np.cumsum(logs, axis=0, out=logs)
        shares["geometric"][part] = np.exp(logs.mean(axis=0))
        by_date = np.exp(logs, out=logs)
        shares["arithmetic"][part] = by_date.mean(axis=0)
        shares["end"][part] = by_date[-1]
    return shares


def closed_formula(option, strike):
    """Return the exact price of an option on a lognormal S, by Black and Scholes; else NaN."""
    if option.log_mean is None:
        return math.nan
    forward = math.exp(option.log_mean + option.log_variance / 2)
    deviation = math.sqrt(option.log_variance)
    d = (option.log_mean - math.log(strike)) / deviation
    gained, paid = (NORMAL.cdf(option.sign * (d + shift)) for shift in (deviation, 0))
    return DISCOUNT * option.sign * (forward * gained - strike * paid)


def measure(shares, strikes, progress):
    """Return what is Measured of each contender, for all options."""
    # -S and -K make a put of what makes a call of S and K, with the same bits as K - S.
    puts = -shares["end"]
    operands = [
        (shares[option.share] if option.sign > 0 else puts, option.sign * strikes)
        for option in OPTIONS
    ]
    measured = []
    for name, means in CONTENDERS:
        progress.show(f"measuring memory: {name} ...")
        tracemalloc.start()
        try:
            list(means(*operands[0]))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        measured.append(Measured(name, np.empty((len(OPTIONS), len(strikes))), [], peak))
    pairs = list(zip(CONTENDERS, measured, strict=True))
    for i in range(ROUNDS):
        turn = i % len(pairs)
        for contender, result in pairs[turn:] + pairs[:turn]:
            progress.show(f"round {i + 1} of {ROUNDS}: {contender.name} ...")
            start = time.perf_counter()
            result.means[:] = [list(contender.means(*pair)) for pair in operands]
            result.seconds.append(time.perf_counter() - start)
    return measured


def evaluate(shares, strikes, means, progress):
    """Return the Prices of each option by its means, and compare the payoffs with NumPy's."""
    evaluated = []
    for option, of_option in zip(OPTIONS, means, strict=True):
        errors, differing = [], []
        for strike in strikes:
            progress.show(f"checking the payoffs: {option.name}, strike {strike:g} ...")
            s = shares[option.share]
            pair = (s, strike) if option.sign > 0 else (strike, s)
            payoffs = fastrelu.subtract_relu(*pair)
            expected = np.maximum(np.subtract(*pair), 0)
            if not np.array_equal(payoffs.view(np.int64), expected.view(np.int64)):
                differing.append(strike)
            with np.errstate(over="ignore"):  # of puts whose strike is far too large
                errors.append(DISCOUNT * payoffs.std() / math.sqrt(payoffs.size))
        exact = np.array([closed_formula(option, strike) for strike in strikes])
        evaluated.append(Prices(option, DISCOUNT * of_option, np.array(errors), exact, differing))
    progress.clear()
    return evaluated


def tolerance(n):
    """
    Return how far apart two means of n payoffs may be, relative to them.

    No payoff is negative. So each sum, NumPy's and fastrelu's, has a relative error of at most
    (11 + max(9, ceil(log2(n)))) * 2**-53. The division by n adds 2**-53.
    """
    return 2 * (12 + max(9, math.ceil(math.log2(n)))) * 2.0**-53


def report(options, strikes, measured, evaluated):
    """Print the tables and the conclusions; return the exit status."""
    print(
        f"{options.paths:,} paths of {DATES} dates, seed {options.seed}, threads {options.threads}"
    )
    print(f"spot {SPOT:g}, rate {RATE:g}, volatility {VOLATILITY:g}, years {YEARS:g}\n")
    print(
        f"{'':24} {'strike':>7} {'price':>9} {'std. error':>10} {'exact':>9}"
        f" {'apart, in std. errors':>22}"
    )
    for result in evaluated:
        columns = strikes, result.found, result.errors, result.exact, result.distances()
        for strike, price, error, exact, distance in zip(*columns, strict=True):
            print(
                f"{result.option.name:24} {strike:7g} {price:9.4f} {error:10.4f}"
                f" {or_dash(exact, '.4f'):>9} {or_dash(distance, '.2f'):>22}"
            )
    first = measured[0]
    print(f"\n{'':24} {'fastest':>8} {'median':>8} {'times faster':>13} {'memory':>10}")
    for result in measured:
        faster = statistics.median(np.divide(first.seconds, result.seconds))
        print(
            f"{result.name:24} {human(min(result.seconds)):>8}"
            f" {human(statistics.median(result.seconds)):>8} {faster:13.2f}"
            f" {result.peak_bytes / 2**20:6.2f} MiB"
        )
    print(NOTES.format(first.means.size, ROUNDS, options.paths * 8 / 2**20))
    return conclude(options.paths, measured, evaluated)


def or_dash(number, form):
    return "-" if math.isnan(number) else format(number, form)


def conclude(paths, measured, evaluated):
    """Print whether each check holds; return the exit status."""
    differing = [
        f"{result.option.name} at {strike:g}" for result in evaluated for strike in result.differing
    ]
    difference = max(result.differs(measured[0]) for result in measured)
    distance = np.nanmax([result.distances() for result in evaluated], initial=0)
    checks = (
        (
            not differing,
            "The payoffs are NumPy's to the bit.",
            f"other payoffs than NumPy's: {'; '.join(differing)}.",
        ),
        (
            difference <= tolerance(paths),
            f"The means differ from NumPy's by {difference:.1e} at most, relative; rounding "
            f"allows {tolerance(paths):.1e}.",
            f"a mean differs from NumPy's by {difference:.1e}, relative; rounding allows "
            f"{tolerance(paths):.1e}.",
        ),
        (
            distance <= LARGEST_DISTANCE,
            f"The prices are {distance:.2f} standard errors from the exact ones at most.",
            f"a price is {distance:.2f} standard errors from the exact one.",
        ),
    )
    for holds, right, wrong in checks:
        print(right if holds else f"WRONG: {wrong}")
    return int(not all(holds for holds, _, _ in checks))


def draw(strikes, measured, evaluated, kind):
    """Return a plot of the prices, their errors, and the times, as bytes."""
    from matplotlib.figure import Figure

    figure = Figure((15, 4.5), layout="constrained")
    by_strike, apart, times = figure.subplots(1, 3)
    every_strike = np.linspace(strikes.min(), strikes.max(), 100)
    for i, result in enumerate(evaluated):
        bars = {"yerr": 2 * result.errors, "fmt": "o", "color": f"C{i}", "capsize": 3}
        by_strike.errorbar(strikes, result.found, markersize=4, label=result.option.name, **bars)
        exact = [closed_formula(result.option, strike) for strike in every_strike]
        by_strike.plot(every_strike, exact, color=f"C{i}")
        shift = (i - 1) * 0.01 * np.ptp(strikes)
        apart.errorbar(strikes + shift, result.found - result.exact, markersize=4, **bars)
    by_strike.set(title="price: exact (lines), Monte Carlo (dots)", xlabel="strike")
    by_strike.legend()
    apart.axhline(0, color="0.5", linewidth=1)
    apart.set(title="Monte Carlo - exact, with 2 standard errors", xlabel="strike")
    bars = times.barh(
        [result.name for result in measured], [1e3 * min(result.seconds) for result in measured]
    )
    memory = [f"{result.peak_bytes / 2**20:.1f} MiB" for result in measured]
    times.bar_label(bars, memory, padding=3)
    times.set(title="time of all prices, and memory of one option", xlabel="ms")
    times.margins(x=0.2)
    times.invert_yaxis()
    return image_of(figure, kind)


def limit_threads(n):
    """Return a context in which fastrelu uses at most n threads."""
    try:
        return fastrelu.num_threads(n)
    except ValueError as error:
        raise BadInputError(f"--threads {n}: {error}") from None


def main(options, progress):
    kind = plot_kind(options.plot)
    strikes = np.unique(np.asarray(options.strikes, float))
    with whole_file("--plot", options.plot) as write, limit_threads(options.threads):
        shares = simulate(options.paths, options.seed, progress)
        measured = measure(shares, strikes, progress)
        evaluated = evaluate(shares, strikes, measured[-1].means, progress)
        status = report(options, strikes, measured, evaluated)
        if kind:
            write(draw(strikes, measured, evaluated, kind))
    return status


def number_of_paths(text):
    n = natural(text)
    if not LEAST_PATHS <= n <= MOST_PATHS:
        raise argparse.ArgumentTypeError(f"{LEAST_PATHS} to {MOST_PATHS} are needed, not {text!r}")
    return n


def parser():
    parser = parser_for(__doc__, EPILOG, threads="fastrelu")
    parser.add_argument(
        "--paths", type=number_of_paths, default=1_000_000, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--strikes",
        type=positive,
        nargs="+",
        default=[80, 90, 100, 110, 120],
        metavar="K",
        help="default: 80 90 100 110 120",
    )
    return parser


if __name__ == "__main__" and (status := run(parser(), main)):
    sys.exit(status)
