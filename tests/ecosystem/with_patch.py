"""Runs test suites of other projects with np.maximum as it is and patched; compares each test."""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

RUNNERS = {"as it is": ["-m", "pytest"], "patched": ["-m", "fastrelu", "run", "-m", "pytest"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "suite", nargs="+", help="an installed module or package, as pytest --pyargs takes it"
    )
    suites = parser.parse_args().suite
    with tempfile.TemporaryDirectory() as folder:
        reports = {way: Path(folder, f"{number}.xml") for number, way in enumerate(RUNNERS)}
        started = [start(RUNNERS[way], suites, reports[way]) for way in RUNNERS]
        for process in started:
            process.wait()
        outcomes = {way: read(report) for way, report in reports.items()}
    for way, found in outcomes.items():
        print(f"{way}: {', '.join(f'{n} {what}' for what, n in Counter(found.values()).items())}")
    plain, patched = outcomes.values()
    differing = sorted(
        test for test in plain.keys() | patched.keys() if plain.get(test) != patched.get(test)
    )
    for test in differing:
        print(f"{test}: {plain.get(test, 'not run')} as it is, {patched.get(test)} patched")
    if not plain:
        print("no tests were found")
    return int(bool(differing) or not plain)


def start(runner, suites, report):
    options = ["-q", "-c", "/dev/null", "-p", "no:cacheprovider", f"--junitxml={report}"]
    return subprocess.Popen(
        [sys.executable, *runner, *options, "--pyargs", *suites],
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
