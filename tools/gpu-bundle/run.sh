#!/usr/bin/env bash
# Runs Limen on a machine with an NVIDIA driver and nothing else of ours: Node, the code, the addon and the fixtures come
# with this folder. Unpacks itself once; needs bash, tar, xz and coreutils.
#
#   run.sh test [filter …]                 GPU tests, all or the files whose path holds a filter
#   run.sh bench <name> [options]          one benchmark
#   run.sh golden <folder|all> [options]   a checkpoint against its golden tensors
#   run.sh quality [options]             what a trained model gets right, see benchmarks/quality.ts
#   run.sh sanitize <tool> [filter …]      GPU tests under compute-sanitizer (memcheck, racecheck, initcheck, synccheck)
#   run.sh limen <command> [options]       the limen command
#   run.sh node [parameters …]             Node itself, in the unpacked repository
#
# LIMEN_BUNDLE_FOLDER says where to unpack; default: a folder named after this bundle below TMPDIR or /tmp.
set -euo pipefail

bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
identity=$(cut -c1-16 "$bundle/identity")
folder=${LIMEN_BUNDLE_FOLDER:-${TMPDIR:-/tmp}/limen-bundle-$identity}
source_tree=$folder/main

unpack() {
  local started=$SECONDS staging
  staging=$folder.$$
  rm -rf "$staging"
  mkdir -p "$staging/bin"
  xz -dc "$bundle/node.xz" >"$staging/bin/node" &
  local node_job=$!
  if [[ -f $bundle/fixtures.tar.xz ]]; then
    xz -dc "$bundle/fixtures.tar.xz" | tar -xf - -C "$staging" &
    local fixtures_job=$!
  fi
  xz -dc "$bundle/binaries.tar.xz" | tar -xf - -C "$staging"
  xz -dc "$bundle/code.tar.xz" | tar -xf - -C "$staging"
  wait "$node_job" ${fixtures_job:+"$fixtures_job"}
  chmod +x "$staging/bin/node"
  touch "$staging/complete"
  # Two runs may unpack at once; the first one to finish keeps its folder.
  if [[ -e $folder/complete ]] || ! mv -T "$staging" "$folder" 2>/dev/null; then
    if [[ ! -e $folder/complete ]]; then
      rm -rf "$folder"
      mv -T "$staging" "$folder"
    fi
    rm -rf "$staging"
  fi
  echo "· unpacked to $folder in $((SECONDS - started)) s" >&2
}

usage() {
  sed -n '5,13s/^# \{0,3\}//p' "${BASH_SOURCE[0]}"
  exit 2
}

[[ $# -gt 0 ]] || usage
[[ -e $folder/complete ]] || unpack

node=$folder/bin/node
export PATH="$folder/bin:$PATH"
LIMEN_COMMIT=$(cat "$bundle/commit")
export LIMEN_COMMIT
# Through the environment, so that child processes and workers run from source as well.
from_source=(env "NODE_OPTIONS=--import=file://$source_tree/tools/gpu-bundle/register-compiled.mjs --conditions=limen-source --enable-source-maps" "$node")
gpu_tests=("$node" node_modules/vitest/vitest.mjs run --project gpu --passWithNoTests --reporter=verbose)

command=$1
shift
case $command in
  test)
    cd "$source_tree"
    exec "${gpu_tests[@]}" "$@"
    ;;
  bench)
    exec "${from_source[@]}" "$source_tree/benchmarks/bench.ts" "$@"
    ;;
  quality)
    cd "$source_tree"
    exec "${from_source[@]}" benchmarks/quality.ts "$@"
    ;;
  golden)
    [[ $# -gt 0 ]] || usage
    target=$1
    shift
    if [[ $target != all ]]; then
      # A folder of the caller, or a golden folder by name; the ones beside the repository also hold `original/`.
      for candidate in "$target" "$folder/shared/golden/$target" "$source_tree/fixtures/golden/$target" "$source_tree/$target"; do
        if [[ -d $candidate ]]; then
          exec "${from_source[@]}" "$source_tree/packages/models-janus/src/golden/cli.ts" "$candidate" "$@"
        fi
      done
      echo "golden: no folder called $target" >&2
      exit 1
    fi
    failures=0
    for candidate in "$folder"/shared/golden/janus-*/ "$source_tree"/fixtures/golden/janus-*/; do
      [[ -d $candidate ]] || continue
      # A folder that exists twice is the same checkpoint; the first one also holds `original/`.
      if [[ $candidate == "$source_tree"/* && -d $folder/shared/golden/$(basename "$candidate") ]]; then continue; fi
      echo "· $(basename "$candidate")"
      "${from_source[@]}" "$source_tree/packages/models-janus/src/golden/cli.ts" "${candidate%/}" "$@" || failures=$((failures + 1))
    done
    exit $((failures > 0))
    ;;
  sanitize)
    [[ $# -gt 0 ]] || usage
    tool=$1
    shift
    sanitizer=$(command -v compute-sanitizer || true)
    [[ -n $sanitizer ]] || sanitizer=/usr/local/cuda/bin/compute-sanitizer
    if [[ ! -x $sanitizer ]]; then
      echo "sanitize: compute-sanitizer is not on this machine (it comes with the CUDA toolkit)" >&2
      exit 1
    fi
    cd "$source_tree"
    exec "$sanitizer" --tool "$tool" --target-processes all --error-exitcode 1 "${gpu_tests[@]}" --testTimeout=900000 "$@"
    ;;
  limen)
    exec "${from_source[@]}" "$source_tree/packages/serve/src/cli.ts" "$@"
    ;;
  node)
    cd "$source_tree"
    exec "$node" "$@"
    ;;
  *) usage ;;
esac
