"""Fail unless the quickstart's figures are those that the README promises.

python tests/end_to_end/check_quickstart.py FIGURES.json
"""

import json
import pathlib
import sys

LEAST_RATIO = 200
MOST_ADDED_ERROR = 0.1
MOST_OF_BEST_ZIP = 2 / 3
MOST_SECONDS = 300


def main():
    figures = json.loads(pathlib.Path(sys.argv[1]).read_text())
    added_error = figures["compressed_error"] - figures["dense_error"]
    of_best_zip = figures["compressed_bytes"] / figures["best_zip_bytes"]
    checks = {
        f"ratio {figures['ratio']:.1f} >= {LEAST_RATIO}": figures["ratio"] >= LEAST_RATIO,
        # Errors are whole images out of 10,000; the rest is float rounding.
        f"added error {added_error:.2f} <= {MOST_ADDED_ERROR}": added_error
        <= MOST_ADDED_ERROR + 1e-9,
        f"of the best zip {of_best_zip:.3f} <= {MOST_OF_BEST_ZIP:.3f}": of_best_zip
        <= MOST_OF_BEST_ZIP,
        f"seconds {figures['seconds']:.0f} <= {MOST_SECONDS}": figures["seconds"] <= MOST_SECONDS,
    }
    for check, passed in checks.items():
        print(f"{'ok' if passed else 'FAILED'}: {check}")
    sys.exit(not all(checks.values()))


if __name__ == "__main__":
    main()
