#!/bin/bash
# All wave networks at once on one GPU: five outer folds, five with the next fold left out too (to choose settings), one
# of everything, and one inner fold without simulated rows (the ablation). Each ends SECONDS_EACH after its start.
# OUT=DIR ./run.sh; weights are $OUT/NAME/encoder.safetensors beside train.json. The windows are those of pack.py.
cd "$(dirname "$0")" || exit 1
: "${OUT:?}"; EACH=${SECONDS_EACH:-115}; PY=${PY:-python3}
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$PWD/code:$PYTHONPATH"  # pack.py puts there what of the package is needed
"$PY" -c "import pydantic" 2> /dev/null || export PYTHONPATH="$PYTHONPATH:$PWD/stub"
mkdir -p "$OUT"; start=$(date +%s)
one() {  # NAME ARGUMENTS
  name=$1; shift
  timeout $((EACH + 25)) "$PY" train.py . --seconds "$EACH" --steps "${STEPS:-4000}" --batch "${BATCH:-96}" \
    --out "$OUT/$name" "$@" > "$OUT/$name.log" 2>&1 &
}
for fold in ${FOLDS:-0 1 2 3 4}; do
  one "outer$fold" --leave "$fold"
  one "inner$fold" --leave "$fold" $(((fold + 1) % 5))
done
one final
one real0 --leave 0 1 --simulated 0
wait
echo "$(( $(date +%s) - start )) s"; tail -qn 1 "$OUT"/*.log; ls "$OUT"/*/encoder.safetensors | wc -l
