# SPDX-License-Identifier: Apache-2.0
"""Items of the recorder, by name, without anything that differs between two runs of the same code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

OMITTED = "<omitted>"
VARYING = frozenset(
    {
        "seconds",  # elapsed time of run, train and compress
        "host_seconds",  # times that check measures on the host
        "host_frames_per_s",
        "host_us_per_call",
        "session",
        "latency_ms",
        "versions",  # versions of packages, in reports and provenance
        "tools",  # in a manifest: versions of the tools that built it
        "shared_object_id",  # in a saved model's configuration: an address
        "provenance.json",  # in a manifest: its digest; the file is a separate item, without its seconds
        "build.log",  # in a manifest: its digest; the log names a temporary file, and is a separate item
    }
)
"""Fields of JSON objects whose values are left out at any depth; the fields themselves stay."""
MASKS: tuple[tuple[str, str], ...] = (
    (r"<work>/tmp/[^/\s'\"]+", "<work>/tmp/<name>"),
    (r"\d{4}-\d\d-\d\d[T @]\d\d:\d\d(:\d\d)?", "<date>"),
    (r"\b\d+\.\d+\.\d+[\w.+-]*", "<version>"),
    (r"\b0x[0-9a-f]{11,16}\b", "<address>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"latency p50 [\d.]+ ms, p99 [\d.]+ ms", "latency <ms>"),
    (r"(?<=host, measured: ).*", "<ms>"),
    # report.html: the host's tiles, a program's host times, the frames of a session, and rows of measured times
    (r'(<h3>(?:Latency|Host)[^<]*</h3><b>)[^<]*(</b>.*?<span class="note">)[^<]*', r"\1<ms>\2<ms>"),
    (r"(?<=Host time of that run: )[^<]*", "<ms>"),
    (r'(?s)(<section id="session">).*?(</section>)', r"\1<measured>\2"),
    (r"(<code>(?:host_frames_per_s|latency_ms|host_us_per_call)</code>.*?<td[^>]*>)[^<]*", r"\1<measured>"),
)
"""Patterns of texts that vary, and their replacements."""
NOISE = re.compile(
    r"^(WARNING: All log messages before absl|[EWIF]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: "
    r"|[\w: ]+:\s+\d+%\|)"
)
"""Lines of TensorFlow's log and of progress bars, which are left out."""
LONGEST = 20_000
"""Longest text in characters; longer ones are kept as digests."""
ENVIRONMENT = {
    "COLUMNS": "100",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}
"""Environment of this process and of all commands: one thread, no GPU, no log, help of a fixed width."""
TIMEOUT = 300

Item = dict[str, Any]


@dataclass
class Recording:
    """Items by name, in the order in which they were made.

    Attributes:
        work: the folder that commands run in.
        items: what was recorded.
    """

    work: Path
    items: dict[str, Item] = field(default_factory=dict)

    def add(self, name: str, kind: str, **fields: Any) -> None:
        """Add an item. A second item of the same name gets a longer name."""
        while name in self.items:
            name += ", again"
        self.items[name] = {"kind": kind, **fields}

    def command(self, name: str, *arguments: str | Path, kind: str = "command") -> int:
        """Run `ese4ml` with these arguments in the work folder; record exit code and output, return the exit code."""
        words = [str(argument) for argument in arguments]
        call = [str(Path(sys.executable).with_name("ese4ml")), *words]
        environment = {**os.environ, **ENVIRONMENT, "TMPDIR": str(self.work / "tmp")}
        try:
            done = subprocess.run(
                call, cwd=self.work, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            self.add(name, kind, command=words, exit=None, error="TimeoutExpired", out="", err="")
            return 1
        out, err, error = done.stdout, self.masked(done.stderr), None
        if "Traceback (most recent call last)" in err:
            err = err.strip().splitlines()[-1]
            error = err.partition(":")[0].rpartition(".")[2]
        shown: Any = self.text(out)
        if "--json" in words and done.returncode in (0, 1):
            with contextlib.suppress(ValueError):
                shown = self.plain(json.loads(out))
        self.add(name, kind, command=words, exit=done.returncode, error=error, out=shown, err=short(err))
        return done.returncode

    def attempt(self, name: str, call: Callable[[], Any], *, always: bool = False) -> Any:
        """Make a call and return its result. If it raises, record class, exit code and text, and return None.

        Args:
            name: of the item.
            call: the call; its output is left out, its warnings are recorded.
            always: whether to record an item even if it does not raise.
        """
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", category=UserWarning, message=".*(rounded|precision|format)")
            try:
                result = call()
            except Exception as error:  # noqa: BLE001 - whatever is raised is what is recorded
                code, text = getattr(error, "exit_code", None), short(self.masked(str(error)))
                self.add(name, "refusal", error=type(error).__name__, exit=code, text=text)
                return None
        if always:
            self.add(name, "refusal", error=None, exit=0, text="")
        if caught:
            self.add(f"{name}: warnings", "refusal", error=None, exit=0, text=[str(item.message) for item in caught])
        return result

    def folder(self, name: str, folder: Path, texts: Iterable[str] = ()) -> None:
        """Record the SHA-256 of every file of a folder.

        Args:
            name: of the item.
            folder: the folder.
            texts: names of files that become separate items: masked texts, or values if they end in .json.
        """
        texts = set(texts)
        digests = {}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            place = path.relative_to(folder).as_posix()
            if place in texts:
                self.file(f"{name}/{place}", path)
            else:
                digests[place] = digest(path.read_bytes())
        self.add(name, "files", files=digests)

    def file(self, name: str, path: Path) -> None:
        """Record a text file, masked, or the value of a .json file."""
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            # the layout of a JSON file is its text without words and numbers
            self.add(name, "value", value=self.plain(json.loads(text)), layout=_layout(text))
        else:
            self.add(name, "text", text=self.text(text))

    def arrays(self, name: str, arrays: Any) -> None:
        """Record digests of an array, or of a list or dictionary of arrays."""
        self.add(name, "arrays", arrays=_described(arrays))

    def text(self, text: str) -> str:
        """A masked text, or its digest if it is long."""
        return short(self.masked(text))

    def masked(self, text: str) -> str:
        """A text without the parts that differ between runs: paths, dates, versions, measured times, progress."""
        lines = (line.rpartition("\r")[2] for line in text.rstrip("\n").split("\n"))
        text = "\n".join(line for line in lines if not NOISE.match(line))
        for path, word in ((self.work, "<work>"), (Path(sys.prefix), "<env>"), (Path.home(), "<home>")):
            text = text.replace(str(path), word)
        for pattern, word in MASKS:
            text = re.sub(pattern, word, text)
        return text

    def plain(self, value: Any) -> Any:
        """A JSON value with its varying fields left out and its texts masked."""
        if isinstance(value, dict):
            return {key: OMITTED if key in VARYING else self.plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        return self.text(value) if isinstance(value, str) else value


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def short(text: str) -> str:
    """The text, or its digest if it is long."""
    return text if len(text) <= LONGEST else f"sha256 of {len(text)} characters: {digest(text.encode())}"


def _layout(text: str) -> str:
    """Digest of a JSON text's line breaks and indents, which do not depend on the values."""
    return digest(re.sub(r"[^\s]+", "x", text).encode())


def _described(arrays: Any) -> Any:
    if isinstance(arrays, dict):
        return {key: _described(item) for key, item in sorted(arrays.items())}
    if isinstance(arrays, list | tuple):
        return [_described(item) for item in arrays]
    array = np.ascontiguousarray(arrays)
    return f"{array.dtype} {array.shape} {digest(array.tobytes())}"
