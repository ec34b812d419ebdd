#!/usr/bin/env bash
# Make an environment of its own for mqt-yaqs 0.7.0; numbers pass between it and the benchmark through a file.
# Usage: yaqs_environment.sh [FOLDER]
set -euo pipefail

target=${1:-runs/yaqs}
python3 -m venv "$target"
"$target/bin/python" -m pip install --quiet 'mqt-yaqs==0.7.0'
"$target/bin/python" -c 'import mqt.yaqs; print("mqt-yaqs", mqt.yaqs.__version__)'
