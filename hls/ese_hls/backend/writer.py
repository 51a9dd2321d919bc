# SPDX-License-Identifier: Apache-2.0
"""hls4ml's writer interface to `ese_hls.project`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hls4ml.writer.writers import Writer

from ese_hls.project import write_project
from ese_host import decoding, interface
from ese_host.bundle import DECODER, INTERFACE, TESTSET


class EseWriter(Writer):  # type: ignore[misc]
    """Writer of the project of a converted model."""

    def write_hls(self, model: Any) -> None:
        """Emit the project into the model's output directory.

        Args:
            model: a `ModelGraph` of this backend.

        Raises:
            CapacityError: if a memory of the engine cannot hold the network.
            UnsupportedError: if the engine does not support the network.
            MismatchError: if the output directory holds anything but a project of this backend.
            FormatError: if a decoder is given that does not fit the model.
        """
        from ese_hls.backend.backend import conversion_of, project_of
        from ese_hls.backend.test_set import test_set_of

        files = dict(model.config.config.get("ESEFiles") or {})
        if DECODER in files and Path(files[DECODER]).is_file():
            decoding.check_fits(decoding.read(Path(files[DECODER])), conversion_of(model).program)
        files[INTERFACE] = interface.dump(model.ese_interface)
        if model.ese_test_set is None:
            model.ese_test_set = test_set_of(model)
        if model.ese_test_set is not None:
            files[TESTSET] = model.ese_test_set
        write_project(conversion_of(model), project_of(model), files)
