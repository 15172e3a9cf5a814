"""A job of the workflow: ``python -m nclib.book chapter|records|site …``."""

from __future__ import annotations

import argparse
import traceback

from nclib._io import write_atomic
from nclib.book import chapters
from nclib.book._folder import BuildError, build_folder
from nclib.book._site import make_site
from nclib.book._steps import make_records, run_chapter


def _explains_itself(error: Exception) -> bool:
    """Whether a traceback would add nothing."""
    from nclib.data import DataError
    from nclib.queue import FailedRunsError
    from nclib.train import DivergedError, StoppedError

    if isinstance(error, FailedRunsError):
        return all(isinstance(one, (DataError, DivergedError)) for one in error.errors.values())
    return isinstance(error, (BuildError, chapters.ChapterError, StoppedError))


def main() -> None:
    """Do one step; a failure is left in a file for `build` to report."""
    parser = argparse.ArgumentParser(prog="python -m nclib.book")
    steps = parser.add_subparsers(required=True)
    chapter = steps.add_parser("chapter")
    chapter.add_argument("name")
    chapter.add_argument("--profile", required=True)
    chapter.add_argument("--device", required=True)
    chapter.add_argument("--threads", type=int, required=True)
    chapter.set_defaults(step=run_chapter)
    records = steps.add_parser("records")
    records.add_argument("grid")
    records.add_argument("--run")
    records.set_defaults(step=make_records)
    site = steps.add_parser("site")
    site.set_defaults(step=lambda: make_site(build_folder()))
    arguments = vars(parser.parse_args())
    step = arguments.pop("step")
    parts = [arguments.get(part) for part in ("name", "grid", "run")]
    what = "/".join(part for part in parts if part) or "book"
    try:
        step(**arguments)
    except Exception as error:  # reported by `build` when all others have run
        text = str(error) if _explains_itself(error) else f"{what}:\n{traceback.format_exc()}"
        write_atomic(build_folder() / "failed" / f"{what}.txt", text.encode())
        print(f"  failed    {what}", flush=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
