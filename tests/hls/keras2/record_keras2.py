# SPDX-License-Identifier: Apache-2.0
"""Records hashes of the images of the test models: `make keras2-images`, in the default environment (Keras 3)."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from keras2_models import MODELS, converted, filled

IMAGES = Path(__file__).with_name("images.json")


def digest(model: Any, folder: Path) -> str:
    """SHA-256 of all images of a converted model, concatenated."""
    converted(model, folder).write()
    images = sorted(folder.glob("image*.bin"))
    return hashlib.sha256(b"".join(image.read_bytes() for image in images)).hexdigest()


def main() -> None:
    """Write images.json, the hash of each model's images."""
    with tempfile.TemporaryDirectory(prefix="ese4ml-keras2-") as folder:
        hashes = {name: digest(filled(build()), Path(folder) / name) for name, build in MODELS.items()}
    IMAGES.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
