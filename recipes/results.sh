#!/usr/bin/env bash
# Everything behind docs/results.md: PTB-XL and Challenge 2017 as they lie in DATA, seven to eight hours of two cores.
#   bash recipes/results.sh DATA [RUNS]
# Each command goes on where it was stopped and computes nothing twice, so the script can be run again.
set -euo pipefail
data=$1 runs=${2:-runs}
seeds="0 1 2"

einthoven prepare ptbxl "$data/ptbxl" "$runs/cohorts/ptbxl"
einthoven prepare cinc2017 "$data/challenge2017" "$runs/cohorts/cinc2017"
einthoven derive physiology "$runs/cohorts/ptbxl"
einthoven derive physiology "$runs/cohorts/cinc2017"
einthoven audit "$runs/cohorts/ptbxl" --out "$runs/audit-ptbxl.html"
einthoven audit "$runs/cohorts/cinc2017" --out "$runs/audit-cinc2017.html"

for recipe in simclr-ptbxl simclr-ptbxl-gain; do
  for seed in $seeds; do
    einthoven pretrain "recipes/$recipe.toml" --out "$runs/$recipe-$seed" \
      --set "seed=$seed" --set "data.cohort=$runs/cohorts/ptbxl"
  done
done
# the gain alone: everything else as in simclr-ptbxl
for seed in $seeds; do
  einthoven pretrain recipes/simclr-ptbxl.toml --out "$runs/simclr-ptbxl-masks-gain-$seed" --set augment.amplitude=0.5 \
    --set name=simclr-ptbxl-masks-gain --set "seed=$seed" --set "data.cohort=$runs/cohorts/ptbxl"
done
einthoven pretrain recipes/simclr-one-lead.toml --out "$runs/simclr-one-lead" --set "data.cohort=$runs/cohorts/ptbxl"

# PhysioCLR (A8), its measurements regressed instead of contrasted (C5), the contrast of adjacent stretches without
# measurements (A3) and with them (A6), A8 with measurements worn by others (C1) and without the intervals (H2)
contrast="objective.alpha=0 objective.beta=0"
regress="objective.control=regress objective.neighbours=0 objective.alpha=0 objective.beta=0"
regress="$regress augment.lead_mask=0 augment.time_mask=0"
for seed in $seeds; do
  einthoven pretrain recipes/physioclr-ptbxl.toml --out "$runs/physioclr-ptbxl-$seed" \
    --set "seed=$seed" --set "data.cohort=$runs/cohorts/ptbxl"
  einthoven pretrain recipes/physioclr-ptbxl.toml --out "$runs/physioclr-ptbxl-regress-$seed" $(printf -- '--set %s ' $regress) \
    --set "seed=$seed" --set name=physioclr-ptbxl-regress --set "data.cohort=$runs/cohorts/ptbxl"
  einthoven pretrain recipes/physioclr-ptbxl.toml --out "$runs/physioclr-ptbxl-adjacent-$seed" \
    --set 'objective.positives=["adjacent"]' $(printf -- '--set %s ' $contrast) \
    --set "seed=$seed" --set name=physioclr-ptbxl-adjacent --set "data.cohort=$runs/cohorts/ptbxl"
  einthoven pretrain recipes/physioclr-ptbxl.toml --out "$runs/physioclr-ptbxl-adjacent-features-$seed" \
    --set 'objective.positives=["adjacent", "features"]' $(printf -- '--set %s ' $contrast) \
    --set "seed=$seed" --set name=physioclr-ptbxl-adjacent-features --set "data.cohort=$runs/cohorts/ptbxl"
done
einthoven pretrain recipes/physioclr-ptbxl.toml --out "$runs/physioclr-ptbxl-permuted-0" --set objective.control=permute \
  --set name=physioclr-ptbxl-permuted --set "data.cohort=$runs/cohorts/ptbxl"
einthoven pretrain recipes/physioclr-ptbxl.toml --out "$runs/physioclr-ptbxl-no-intervals-0" \
  --set 'objective.exclude=["intervals"]' --set name=physioclr-ptbxl-no-intervals --set "data.cohort=$runs/cohorts/ptbxl"
einthoven pretrain recipes/physioclr-one-lead.toml --out "$runs/physioclr-one-lead" \
  --set "data.cohort=$runs/cohorts/ptbxl"
einthoven pretrain recipes/physioclr-one-lead.toml --out "$runs/physioclr-one-lead-regress" \
  $(printf -- '--set %s ' $regress) --set name=physioclr-one-lead-regress --set "data.cohort=$runs/cohorts/ptbxl"
physioclr=$(echo "$runs"/physioclr-ptbxl-{{,regress-,adjacent-,adjacent-features-}{0,1,2},permuted-0,no-intervals-0})

# by validation alone: which of them is the best, and ships
python recipes/trials.py "$runs/cohorts/ptbxl" judge "$runs"/simclr-ptbxl-{0,1,2} $physioclr

# superclass: three seeds, at 10 % and 100 subjects five draws each
einthoven evaluate "$runs"/simclr-ptbxl{,-gain,-masks-gain}-{0,1,2} $physioclr "$runs/cohorts/ptbxl" \
  --task ptbxl/superclass --labelled 1.0 --labelled 0.1 --labelled 100 --out "$runs/evaluation/superclass"
# the networks that the line above trained from scratch on all labels, each with the measurements beside its embedding
supervised=$(grep -l "^labelled = 1\.0$" "$runs"/evaluation/superclass/runs/*/recipe.toml | xargs -n1 dirname)
einthoven evaluate $supervised "$runs/cohorts/ptbxl" --task ptbxl/superclass --features embedding+measurements \
  --out "$runs/evaluation/superclass"
# the other five tasks and Challenge 2017: one seed, everything labelled
einthoven evaluate "$runs/simclr-ptbxl-0" "$runs/cohorts/ptbxl" --out "$runs/evaluation/tasks" \
  --task ptbxl/all --task ptbxl/diagnostic --task ptbxl/subclass --task ptbxl/form --task ptbxl/rhythm
# PhysioCLR beside it on statements, form and rhythm, a seed at a time: networks from scratch have one seed here
for seed in $seeds; do
  einthoven evaluate "$runs"/{simclr-ptbxl,physioclr-ptbxl{,-regress,-adjacent,-adjacent-features}}-$seed \
    $([ "$seed" = 0 ] && echo "$runs"/physioclr-ptbxl-{permuted,no-intervals}-0) "$runs/cohorts/ptbxl" \
    --task ptbxl/all --task ptbxl/form --task ptbxl/rhythm --out "$runs/evaluation/tasks"
done
python recipes/groups.py "$runs/evaluation/tasks" physioclr-ptbxl simclr-ptbxl \
  physioclr-ptbxl-{regress,adjacent,adjacent-features,permuted,no-intervals} "measurements, boosted"
python recipes/groups.py "$runs/evaluation/tasks" physioclr-ptbxl-regress simclr-ptbxl
# how well rate, intervals, axis and ST can be read from the embeddings
einthoven evaluate "$runs"/simclr-ptbxl-{0,1,2} $physioclr "$runs/cohorts/ptbxl" --task physiology \
  --out "$runs/evaluation/decoding"
einthoven evaluate "$runs"/{simclr-one-lead,physioclr-one-lead{,-regress}} "$runs/cohorts/cinc2017" --out "$runs/evaluation/cinc2017" \
  --task cinc2017/rhythm --split folds

einthoven report "$runs"/evaluation/{superclass,tasks,decoding,cinc2017} --out "$runs/report.html"
einthoven report "$runs"/evaluation/{superclass,tasks,decoding,cinc2017} --out docs/results.md
