"""Runs test suites of other projects as they are and with patches; compares each test."""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

AS_IT_IS = "as it is"
RUNNERS = {
    AS_IT_IS: [],
    "np.maximum patched": ["-m", "fastrelu", "run"],
    "scikit-learn patched": ["-m", "fastrelu", "run", "--sklearn"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "suite", nargs="+", help="an installed module or package, as pytest --pyargs takes it"
    )
    parser.add_argument(
        "--sklearn", action="store_true", help="once more with scikit-learn patched as well"
    )
    options = parser.parse_args()
    ways = [way for way in RUNNERS if options.sklearn or "--sklearn" not in RUNNERS[way]]
    with tempfile.TemporaryDirectory() as folder:
        reports = {way: Path(folder, f"{number}.xml") for number, way in enumerate(ways)}
        started = [start(RUNNERS[way], options.suite, reports[way]) for way in ways]
        for process in started:
            process.wait()
        outcomes = {way: read(report) for way, report in reports.items()}
    for way, found in outcomes.items():
        print(f"{way}: {', '.join(f'{n} {what}' for what, n in Counter(found.values()).items())}")
    plain = outcomes.pop(AS_IT_IS)
    differing = [
        f"{test}: {plain.get(test, 'not run')} as it is, {found.get(test, 'not run')} with {way}"
        for way, found in outcomes.items()
        for test in sorted(plain.keys() | found.keys())
        if plain.get(test) != found.get(test)
    ]
    print(*differing, sep="\n", end="\n" * bool(differing))
    if not plain:
        print("no tests were found")
    return int(bool(differing) or not plain)


def start(runner, suites, report):
    options = "-m pytest -q -c /dev/null -p no:cacheprovider".split()
    return subprocess.Popen(
        [sys.executable, *runner, *options, f"--junitxml={report}", "--pyargs", *suites],
        cwd=report.parent,
        stdout=subprocess.DEVNULL,
    )


def read(report):
    """Return the outcome of each test in a report: passed, or the first failure, error or skip."""
    if not report.exists():
        return {}
    return {
        f"{case.get('classname')}.{case.get('name')}": next(
            (child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed"
        )
        for case in ElementTree.parse(report).iter("testcase")
    }


if __name__ == "__main__":
    sys.exit(main())
