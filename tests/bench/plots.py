"""Plots of the runs, as PNG files."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402 (the backend is chosen before)

from bench.drains import LEGS  # noqa: E402
from bench.report import cell_name, cells_of  # noqa: E402
from bench.summary import Row, cost, rate, select  # noqa: E402

PARTS = ("job", "daemon", "broker")


def draw(rows: list[Row], folder: Path) -> list[str]:
    """Writes what there is to draw; the names of the files."""
    made = []
    if cells_of(rows):
        made.append(_drains(rows, folder / "drains.png"))
    if any(row["part"] == "flat" for row in rows):
        made.append(_flat(rows, folder / "flat.png"))
    return made


def _save(figure: Any, path: Path) -> str:
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path.name


def _drains(rows: list[Row], path: Path) -> str:
    cells = cells_of(rows)
    figure, axes = pyplot.subplots(len(cells), 2, figsize=(11, 2.6 * len(cells)), squeeze=False)
    for line, cell in zip(axes, cells):
        legs = {leg: select(rows, "drain", size=cell[0], partitions=cell[1], spin_us=cell[2], leg=leg)
                for leg in reversed(LEGS)}
        legs = {leg: found for leg, found in legs.items() if found}
        names = list(legs)
        rates = [[rate(row) / 1000 for row in found] for found in legs.values()]
        line[0].barh(names, [median(each) for each in rates], color="tab:blue")
        for place, each in enumerate(rates):
            line[0].plot(each, [place] * len(each), "k|")
        line[0].set_title(f"{cell_name(cell)}: thousand msg/s", fontsize=9)
        left = [0.0] * len(names)
        for part in PARTS:
            costs = [median(cost(part)(row) for row in found) for found in legs.values()]
            line[1].barh(names, costs, left=left, label=part)
            left = [before + more for before, more in zip(left, costs)]
        # B would hide all the others.
        shown = [total for name, total in zip(names, left) if name != "B"] or left
        line[1].set_xlim(0, max(shown) * 1.15)
        line[1].set_title("CPU s per million (B may end outside)", fontsize=9)
        line[1].legend(fontsize=7)
    return _save(figure, path)


def _flat(rows: list[Row], path: Path) -> str:
    flat = select(rows, "flat")
    names = list(dict.fromkeys(row["axis"] for row in flat))
    figure, axes = pyplot.subplots(2, len(names), figsize=(3 * len(names), 5.5), squeeze=False)
    for column, axis in enumerate(names):
        values = list(dict.fromkeys(row["value"] for row in flat if row["axis"] == axis))
        values.sort()
        places = range(len(values))
        found = [select(flat, "flat", axis=axis, value=value) for value in values]
        axes[0][column].plot(places, [median(rate(row) for row in each) / 1000 for each in found], "o-")
        axes[0][column].set_title(axis, fontsize=9)
        axes[0][0].set_ylabel("thousand msg/s")
        for part in PARTS:
            axes[1][column].plot(places, [median(cost(part)(row) for row in each) for each in found], "o-",
                                 label=part)
        axes[1][0].set_ylabel("CPU s per million")
        axes[1][0].legend(fontsize=7)
        for line in axes:
            line[column].set_ylim(bottom=0)
            line[column].set_xticks(list(places), [f"{value:g}" for value in values], fontsize=7, rotation=45)
    return _save(figure, path)
