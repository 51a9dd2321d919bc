"""hls4ml's writer interface over `ese_hls.project.project`."""

from __future__ import annotations

from typing import Any

from hls4ml.writer.writers import Writer

from ese_hls.project import write_project


class EseWriter(Writer):  # type: ignore[misc]
    """Writes the project of a converted model."""

    def write_hls(self, model: Any) -> None:
        """Emit into the model's output directory.

        Args:
            model: a `ModelGraph` of this backend.

        Raises:
            CapacityError, UnsupportedError: the network does not fit an engine.
            MismatchError: the output directory holds something else.
        """
        from ese_hls.backend.backend import conversion_of, project_of

        write_project(conversion_of(model), project_of(model), model.config.config.get("ESEFiles"))
