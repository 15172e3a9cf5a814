"""Time and memory of alternatives, measured in the same run, and the table that shows them."""

import gc
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from rich.live import Live
from rich.table import Table


def time_alternately(
    candidates: dict[str, Callable[[], object]], *, repeats: int, warm_up: bool = True
) -> dict[str, float]:
    """Median seconds of each candidate, over rounds in which every candidate runs once.

    Rounds alternate the candidates, so that a load that comes and goes falls on all of them; a
    first round that is not counted warms caches and libraries.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats + warm_up):
        for name, run in candidates.items():
            gc.collect()
            start = time.perf_counter()
            run()
            _wait()
            elapsed = time.perf_counter() - start
            if turn >= warm_up:
                seconds[name].append(elapsed)
    return {name: statistics.median(times) for name, times in seconds.items()}


def extra_memory(
    run: Callable[..., object], make: Callable[[], Sequence[Any]], make_small: Callable[[], Any]
) -> float | None:
    """Peak resident memory that ``run(*make())`` adds to its arguments, in MiB.

    In a process of its own, after a run on ``make_small()`` that loads libraries; the process's
    high-water mark is cleared before and read after. None where the system keeps no such mark
    (it is Linux's). The three functions must be importable.
    """
    if not Path("/proc/self/clear_refs").exists():
        return None
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_peak, args=(sender, run, make, make_small))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:  # the process died, out of memory for one
        return float("nan")
    finally:
        process.join()


def _peak(
    sender: Connection,
    run: Callable[..., object],
    make: Callable[[], Sequence[Any]],
    make_small: Callable[[], Sequence[Any]],
) -> None:
    run(*make_small())
    arguments = make()
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident
    run(*arguments)
    sender.send((_status("VmHWM") - before) / 1024)


def _status(field: str) -> int:
    """A field of the process's memory status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise KeyError(field)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> str:
    """One line: processor, threads, versions."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    return f"{cpu}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table, each row shown as it is measured: names to the left, numbers to the right."""
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", overflow="fold")
    with Live(table, auto_refresh=False, vertical_overflow="visible") as live:
        for row in rows:
            table.add_row(*row)
            live.refresh()


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.1f} ms"
