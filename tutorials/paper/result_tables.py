"""The figures of real_models.py as markdown."""


def tables(results):
    """The results as markdown.

    Args:
        results: dict with the lists of rows "models" and "files".

    Returns:
        str.
    """
    heads = ["", "weights", "kept", "float32", "best zip", "keras_dc", "ratio", "to zip"]
    models = [
        [
            row["name"],
            f"{row['weights'] / 1e6:.1f} M",
            f"{row['kept_percent']:.1f} %",
            *_size_cells(row),
            f"{row['ratio_without_scales']:.2f}x" if "ratio_without_scales" in row else "",
            str(row["coded_tensors"]),
            f"{row['convert_seconds']:.0f} s",
            _runtimes_cell(row),
        ]
        for row in results["models"]
    ]
    files = [
        [
            row["name"],
            _types_cell(row),
            *_size_cells(row),
            str(row["coded_tensors"]),
            _runtimes_cell(row),
        ]
        for row in results["files"]
    ]
    lossy = [
        [
            row["name"],
            *_size_cells(row["post_training"]),
            str(row["post_training"]["coded_tensors"]),
            f"{row['post_training']['largest_relative_error']:.2f}",
            _runtimes_cell(row["post_training"]),
        ]
        for row in results["files"]
        if row["post_training"]
    ]
    return "\n".join(
        [
            "# Real models",
            "",
            "Written by `tutorials/paper/real_models.py`; all figures and the versions are in",
            "`real_models.json`. Sizes are whole files in KB, those of zip and keras_dc of the",
            "pruned and shared model; ratios are float32 and zip over keras_dc. In brackets behind",
            "a runtime: how far outputs are from those of the file that is not compressed,",
            "relative to the largest. Times are the wall clock, beside other work.",
            "",
            "## Architectures: random weights, pruned and shared",
            "",
            '"No scales" is the ratio if each factor of batch normalization were 1, so that',
            "folding it into a kernel changed nothing.",
            "",
            *_markdown([*heads, "no scales", "coded tensors", "to convert", "runs in"], models),
            "",
            "## Files made by others, coded without loss",
            "",
            *_markdown(["", "constants", "file", *heads[4:], "coded tensors", "runs in"], files),
            "",
            "## The same files, pruned and clustered without training",
            "",
            "At `sparsity=0.3, num_clusters=32`. The error is the root mean square of a tensor's,",
            "relative to its values', in the tensor where it is the largest.",
            "",
            *_markdown(["", "file", *heads[4:], "coded tensors", "error", "runs in"], lossy),
            "",
        ]
    )


def _size_cells(row):
    sizes_kb = [f"{row[f'{key}_bytes'] / 1024:,.0f}" for key in ("float", "zip", "compressed")]
    sizes_kb[1] += f" ({row['best_zip']})"
    return [*sizes_kb, f"{row['ratio']:.2f}x", f"{row['ratio_to_zip']:.2f}x"]


def _types_cell(row):
    cell = ", ".join(f"{count} {name}" for name, count in sorted(row["constants"].items()))
    return cell + (f"; {row['sparse_constants']} sparse" if row["sparse_constants"] else "")


def _runtimes_cell(row):
    cells = []
    for name, outcome in row["runtimes"].items():
        if outcome["runs"]:
            cells.append(f"{name} ({outcome['difference']:.0e})")
        else:
            fault = "" if outcome.get("original_runs", True) else ", nor does the original"
            cells.append(f"not {name}{fault}: {outcome['reason']}")
    return "; ".join(cells)


def _markdown(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
