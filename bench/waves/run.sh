#!/bin/bash
# All wave networks: five outer folds, five with the next fold left out too (to choose settings), one of everything (it
# ships), and one inner fold without simulated rows (the ablation). JOBS side by side, each on one thread.
#   OUT=WEIGHTS ./run.sh                                    as shipped: two cores, 7 to 18 minutes each
#   OUT=WEIGHTS JOBS=12 STEPS=4000 BATCH=96 ./run.sh        on one GPU
# Weights are $OUT/NAME/encoder.safetensors beside train.json. The windows are those of pack.py, beside this file.
cd "$(dirname "$0")" || exit 1
: "${OUT:?}"
export OUT PY=${PY:-python3} STEPS=${STEPS:-1600} BATCH=${BATCH:-64} OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$PWD/code:$PYTHONPATH"  # pack.py puts there what of the package is needed
"$PY" -c "import pydantic" 2> /dev/null || export PYTHONPATH="$PYTHONPATH:$PWD/stub"
mkdir -p "$OUT"
one() {  # NAME ARGUMENTS
  name=$1; shift
  "$PY" train.py . --steps "$STEPS" --batch "$BATCH" --bf16 --out "$OUT/$name" "$@" > "$OUT/$name.log" 2>&1
}
export -f one
{
  for fold in 0 1 2 3 4; do echo "outer$fold --leave $fold"; echo "inner$fold --leave $fold $(((fold + 1) % 5))"; done
  echo final
  echo "real0 --leave 0 1 --simulated 0"
} | xargs -P "${JOBS:-2}" -I{} bash -c 'one {}'
tail -qn 1 "$OUT"/*.log
