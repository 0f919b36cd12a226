"""A report as one page of HTML that loads nothing: styles, plots and pictures are in it."""

import base64
import html
import io
import pathlib
import re

import numpy as np

import keras_dc
from keras_dc.reporting import energy, figures, png, wording
from keras_dc.reporting.drawing import GRID, INK, MUTED, SERIES, style
from keras_dc.reporting.tensors import STAGES
from keras_dc.reporting.tiles import is_accuracy, tiles_of

_TEMPLATES = pathlib.Path(__file__).parent / "templates"
# The colours of plots, exchanged for variables of the page's style.
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid"} | {
    colour: f"--series-{place}" for place, colour in enumerate(SERIES)
}
# Legible on white and on black.
_MASK_COLOUR = "#2f81e0"
_TITLES = {
    "bytes": "Bytes by stage and tensor",
    "shares": "Stages of each kernel, in % of its float32",
    "zips": "Whole files: zips of the same weights, and ours",
    "sensitivity": "Sensitivity: one layer pruned at a time",
    "curve": "Scores against ratios",
    "weights": "Kept weights and centroids",
    "codes": "Code lengths",
}
_FRAME_PIXELS = 720
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def render(content):
    """The page of a Content: str.

    Raises:
        ImportError: if Jinja2 or matplotlib are not installed.
    """
    template = _environment().get_template("report.html")
    text = template.render(
        content=content,
        version=keras_dc.__version__,
        css=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        tiles=tiles_of(content),
        stages=STAGES,
        tensors=content.tensors,
        has_errors=any(figures.row.relative_error for figures in content.tensors),
        overview=[_plot(name, drawn, name) for name, drawn in figures.overview(content).items()],
        layers=_layers(content),
        files=_files(content),
        scan_values=getattr(content.sensitivity, "values", {}),
        show_error=bool(content.scores) and is_accuracy(content),
        benchmark=_benchmark(content.benchmark_rows),
        processor=_processor(content.benchmark),
        energy=_energy(content),
        choices=list(_flat(content.choices)),
        words=wording,
    )
    return text.strip() + "\n"


def in_a_frame(page):
    """A page inside another one, such as a notebook, whose style it must not touch."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="Compression report" '
        f'style="width: 100%; height: {_FRAME_PIXELS}px; border: 1px solid #888"></iframe>'
    )


def _environment():
    try:
        import jinja2
    except ImportError as error:
        raise ImportError(
            "the page of a report needs Jinja2, which is not installed; install it with "
            '`pip install "keras-dc[report]"`'
        ) from error
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plot(kind, figure, prefix):
    """A figure as the template takes it: kind, title and SVG."""
    return {"kind": kind, "title": _TITLES[kind], "svg": _svg(figure, prefix)}


def _svg(figure, prefix):
    """A figure as SVG inside the page: its colours are the page's, its ids its own."""
    file = io.StringIO()
    with style():
        figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))

    def kept(match):
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', kept, text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    # The page gives the size, and the font.
    text = re.sub(r'<svg([^>]*?) width="[^"]*"', r"<svg\1", text, count=1)
    text = re.sub(r'<svg([^>]*?) height="[^"]*"', r'<svg\1 aria-hidden="true"', text, count=1)
    return re.sub(r"font: (\w+ )?([\d.]+px) [^;\"]+", r"font-size: \2", text)


def _layers(content):
    numbers = figures.plotted(content)
    return [
        _layer(content, number, tensor, number in numbers)
        for number, tensor in figures.layers(content)
    ]


def _layer(content, number, tensor, is_plotted):
    """The section of a tensor as the template takes it."""
    plots = figures.of_layer(content, tensor, with_mask=False) if is_plotted else {}
    density = tensor.mask.density
    picture = png.of_strengths(np.sqrt(density / density.max()), _MASK_COLOUR)
    height, width = density.shape
    return {
        "tensor": tensor,
        "plots": [_plot(kind, drawn, f"{kind}-{number}") for kind, drawn in plots.items()],
        "before": content.histograms.get(tensor.row.place, (None,))[0],
        "mask": base64.b64encode(picture).decode(),
        # Neither a thread nor a tower.
        "aspect": min(max(width / height, 0.8), 4.0),
        "block": tensor.mask.block,
        "densest": float(density.max()),
    }


def _files(content):
    """Rows of the table of files: label, bytes, times smaller, zips."""
    rivals = [*content.rivals, *([content.int8] if content.int8 else [])]
    return [*rivals, content.file]


_BENCHMARK_COLUMNS = (
    ("runtime", "runtime", str),
    ("num_threads", "threads", str),
    ("low_memory", "low memory", lambda value: "yes" if value else "no"),
    ("p50_ms", "median, ms", wording.number),
    ("p90_ms", "90 %, ms", wording.number),
    ("load_ms", "load, ms", wording.number),
    ("peak_memory_bytes", "peak memory", wording.megabytes),
    ("memory_bytes", "memory", wording.megabytes),
    ("size_bytes", "file", wording.kilobytes),
)


def _benchmark(rows):
    """Headings and rows of what a benchmark measured; columns that no row has are left out."""
    columns = [
        (name, heading, show)
        for name, heading, show in _BENCHMARK_COLUMNS
        if any(getattr(row, name, None) is not None for row in rows)
    ]
    cells = [
        [str(row.name), *(_cell(getattr(row, name, None), show) for name, _, show in columns)]
        for row in rows
    ]
    return {"headings": ["model", *(heading for _, heading, _ in columns)], "rows": cells}


def _processor(benchmark):
    known = (getattr(benchmark, name, None) for name in ("cpu", "instruction_set"))
    return ", ".join(filter(None, known))


def _cell(value, show):
    return "-" if value is None else show(value)


def _energy(content):
    rows = [
        ("uncompressed", content.original_weight_bytes),
        ("in this file", content.weight_bytes),
    ]
    return {
        "source": energy.SOURCE,
        "rows": [
            {"label": label, "size": size, **energy.reading_microjoules(size)}
            for label, size in rows
        ],
    }


def _flat(choices, prefix=""):
    """Nested settings as pairs of a dotted name and a text."""
    for name, value in choices.items():
        label = f"{prefix}.{name}" if prefix else name
        if isinstance(value, dict) and value:
            yield from _flat(value, label)
        elif isinstance(value, list):
            yield label, ", ".join(map(_shown, value)) or "-"
        else:
            yield label, _shown(value)


def _shown(value):
    if value is None or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
