# SPDX-License-Identifier: Apache-2.0
"""A pool mixes the answers of its engines, so that all of them must hold one model and one chain of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_design import codes, make_twins, twins, write_manifest

from ese_host.bundle import golden_file, manifest
from ese_host.errors import MismatchError
from ese_host.ir.program import Merge, run
from ese_host.runtime import Accelerator, EnginePool


def test_engines_want_one_golden_model(folder: Path) -> None:
    """Images alone do not say what the host computes between the chains."""
    make_twins(folder)
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    program = twins()
    merged = Merge("maximum", ("a", "b"), "sum")
    (other / manifest.GOLDEN).write_bytes(golden_file.dump(replace(program, steps=(*program.steps[:-1], merged))))
    write_manifest(other, further_images=(int(np.fromfile(other / "image-1.bin", "<u4")[-1]),))
    with Accelerator(folder, driver="adapter") as a, Accelerator(other, driver="adapter") as b:
        with pytest.raises(MismatchError, match="hold different models"):
            EnginePool([a, b])
        with Accelerator(folder, driver="adapter") as c, EnginePool([a, c]) as pool:
            c.select("two")
            with pytest.raises(MismatchError, match=r"hold the chains \['one', 'two'\]; one chain is expected"):
                pool.run(codes(4, 2))
            found = pool.run_program(codes(4, 2)).run.output().codes
            np.testing.assert_array_equal(found, run(a.program, codes(4, 2)).output().codes)
            c.load(other)
            for use in (pool.run, pool.run_program):
                with pytest.raises(MismatchError, match="hold different models"):
                    use(codes(4, 2))
