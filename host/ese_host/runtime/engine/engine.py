# SPDX-License-Identifier: Apache-2.0
"""An opened design folder that takes and gives floats, as Keras's `predict` does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ese_host import interface
from ese_host.bundle import INTERFACE, Folder
from ese_host.device import Closeable, Driver
from ese_host.errors import FormatError, UnsupportedError
from ese_host.interface import Floats, ModelInterface, codes_of
from ese_host.ir.program import Program, ProgramRun
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.engine.session import Session
from ese_host.runtime.runner import run_program

AT_ONCE = 1 << 22
"""Most numbers, over all tensors of a program, of the samples that are run at once; a single sample may have more."""


def open(
    folder: str | Path | Folder,
    *,
    device: Any = None,
    driver: Driver = "auto",
    timeout: float | None = None,
    trust: bool = False,
) -> Engine:
    """Open a design folder: load its bitstream and its weights, on a board or in emulation.

    Args:
        folder: the design folder, bitstreams/<design>, or a path of it.
        device: a pynq Device, or None to choose one that fits the folder's kind.
        driver: library that drives the device, see `Accelerator`.
        timeout: seconds to wait for the answer to one packet; None allows each packet what its work needs.
        trust: whether an emulated bitstream, which is native code, may be loaded although this user did not build it.

    Returns:
        The engine; use it as a context manager, or close it.

    Raises:
        UntrustedError: if an emulated bitstream is neither in this user's record of builds nor trusted.
        EseError: if the folder is invalid, its files do not belong together, or the device fails.
    """
    return Engine(Accelerator(folder, device=device, driver=driver, timeout=timeout, trust=trust))


class Engine(Closeable):
    """A design on a device, ready for floats. `ese4ml.open` makes it.

    Threads may share it. Samples are recorded values, which are scaled as interface.json of the folder says, unless a
    call says that they are scaled already.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        """Take over an accelerator, which is closed together with the engine.

        Raises:
            EseError: if interface.json of its folder is invalid, or is that of another model.
        """
        self._accelerator = accelerator
        try:
            self._interface = _interface_of(accelerator)
        except BaseException:
            accelerator.close()
            raise

    @property
    def accelerator(self) -> Accelerator:
        """The accelerator, which takes and gives integer codes."""
        return self._accelerator

    @property
    def folder(self) -> Folder:
        """The design folder."""
        return self._accelerator.folder

    @property
    def program(self) -> Program:
        """The model in integers."""
        return self._accelerator.program

    @property
    def interface(self) -> ModelInterface:
        """Inputs and outputs of the model."""
        return self._interface

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes of the first output, by their numbers; None if they have no names."""
        return self._interface.outputs[0].classes

    def predict(self, x: Any, *, scaled: bool = False) -> Any:
        """Outputs as Keras's `predict` returns them: an array, or a list or dict of arrays as the model has them.

        Any number of samples may be given: they are run some at a time, so that memory stays bounded.

        Args:
            x: an array or a list of numbers; for several inputs a list of them in the model's order, or a dict.
            scaled: whether they are the model's inputs already; otherwise they are recorded values.

        Raises:
            FormatError: if an input is missing, has another shape, or is not finite.
            DeviceError: if the device fails; the next call configures it again.
        """
        parts = [self._interface.values(run, arrays) for run, arrays in self._runs(x, scaled)]
        outputs = [np.concatenate(values) if len(parts) > 1 else values[0] for values in zip(*parts, strict=True)]
        return self._interface.packed(outputs)

    def classify(self, x: Any, *, output: str | None = None, scaled: bool = False) -> list[str] | list[int]:
        """The class of each sample: its name, or its number if the classes have no names.

        The class is the largest value of the last frame, or for a single sigmoid whether it is above 1/2. It is decided
        on the exact values.

        Args:
            x: samples, as in `predict`.
            output: name of an output; the first one by default.
            scaled: as in `predict`.

        Raises:
            UnsupportedError: if the output tells no classes.
            FormatError: as in `predict`, or if there is no such output.
            DeviceError: as in `predict`.
        """
        place = self._place(output)
        told, names = self.program.outputs[place], self._interface.outputs[place].classes
        if not self.program.has_classes(told):
            raise UnsupportedError(
                f"output {self._interface.outputs[place].name!r} is a single value that is no sigmoid, which tells no "
                "class: use predict, which returns values"
            )
        numbers = [number for run, _ in self._runs(x, scaled) if run is not None for number in run.classes(told.name)]
        return [int(number) for number in numbers] if names is None else [names[number] for number in numbers]

    async def predict_async(self, x: Any, *, scaled: bool = False) -> Any:
        """Outputs as `predict` returns them, while other asyncio tasks run, for example in Jupyter.

        The work is done in another thread, which ends it even if the task is cancelled.

        Args:
            x: samples, as in `predict`.
            scaled: as in `predict`.

        Raises:
            FormatError: as in `predict`.
            DeviceError: as in `predict`.
        """
        return await asyncio.to_thread(self.predict, x, scaled=scaled)

    def session(self) -> Session:
        """A session, which runs frame after frame and keeps the state between them.

        Raises:
            UnsupportedError: if the model cannot run frame by frame; the message names the layer and the reason.
        """
        return Session(self._accelerator, self._interface)

    def close(self) -> None:
        """Free the device. Closing twice does no harm."""
        self._accelerator.close()

    def _runs(self, x: Any, scaled: bool) -> Iterator[tuple[ProgramRun | None, dict[str, Floats]]]:
        """Runs of all samples, some at a time, with their inputs; None if there are no samples."""
        program, interface = self.program, self._interface
        share = sum(port.width for port in program.inputs) / sum(tensor.width for tensor in program.tensors.values())
        for arrays in interface.parts(x, max(1, int(AT_ONCE * share)), scaled=scaled):
            if not len(next(iter(arrays.values()))):
                yield None, arrays
                continue
            codes = codes_of(program, [arrays[name] for name in interface.names])
            yield run_program(self._accelerator, codes, strict=True).run, arrays

    def _place(self, output: str | None) -> int:
        """Number of an output."""
        names = [item.name for item in self._interface.outputs]
        if output is not None and output not in names:
            raise FormatError(f"there is no output {output!r}; the model has {', '.join(names)}: name one of them")
        return 0 if output is None else names.index(output)


def _interface_of(accelerator: Accelerator) -> ModelInterface:
    """The interface of a folder's model; that of its program if the folder does not say."""
    if INTERFACE not in accelerator.folder.manifest.files:
        return ModelInterface.of(accelerator.program)
    found = interface.read(accelerator.folder.file(INTERFACE))
    found.require_program(accelerator.program)
    return found
