#!/usr/bin/env bash
# Trains janus-tiny from nothing: exports pictures and texts, then trains the image tokenizer and the joint model.
#
#   train.sh OUT [options of train.py]      e.g. train.sh out/janus-tiny/run --minutes 13.5 --compile
#
# Needs Node, and a Python with torch, transformers, tokenizers, safetensors and matplotlib ($PYTHON, default python3).
# SCENES (default 250000) and VALIDATION_SCENES (default 4000) say how much data is drawn.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: train.sh OUT [options of train.py]}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)

node "$here/bundle-export.mjs"
exporter=$here/../../../out/janus-tiny/export-data.mjs
node "$exporter" --split validation --count "${VALIDATION_SCENES:-4000}" --first-seed 0 --out "$out/data/validation"
node "$exporter" --split train --count "${SCENES:-250000}" --first-seed 0 --out "$out/data/train"
cd "$here"
"${PYTHON:-python3}" train.py --data "$out/data" --model "$here/../model" --out "$out" "$@"
