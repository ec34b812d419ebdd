#!/usr/bin/env bash
# Make an environment of its own for Kwant 1.5.0, which does not build against today's NumPy and Cython.
# Numbers pass between it and the benchmark through a file.  Usage: kwant_environment.sh [FOLDER]
set -euo pipefail

target=${1:-runs/kwant}

if ! find /usr/include /usr/local/include -name 'zmumps_c.h' -print -quit 2>/dev/null | grep -q .; then
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends libmumps-scotch-dev gfortran
fi

python3 -m venv "$target"
"$target/bin/python" -m pip install --quiet 'setuptools<70' wheel 'Cython<3' 'numpy==1.26.4' 'scipy==1.13.1'

sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
"$target/bin/python" -m pip download --quiet --no-deps --no-binary :all: --no-build-isolation \
    --dest "$sources" 'kwant==1.5.0' 'tinyarray==1.2.4'
"$target/bin/python" -m pip install --quiet --no-build-isolation "$sources"/tinyarray-*.tar.gz
# Kwant finds Debian's sequential MUMPS by itself.
"$target/bin/python" -m pip install --quiet --no-build-isolation "$sources"/kwant-1.5.0.tar.gz
"$target/bin/python" -c 'import kwant, kwant.linalg.mumps; print("Kwant", kwant.__version__, "with MUMPS")'
