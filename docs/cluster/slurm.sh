#!/bin/bash
# A Ray cluster on SLURM, and one run on it: sbatch --nodes 4 docs/cluster/slurm.sh --profile full --out /shared/runs/full
# Everything after the script's name goes to `suite run`. --out must be a folder that the first node can write.
#SBATCH --job-name=neuron-suite
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive
#SBATCH --time=24:00:00
# With GPUs: #SBATCH --gpus-per-node=4
set -euo pipefail
python=${PYTHON:-python}  # an environment with `pip install 'neuron-suite[ray]'` that every node sees
port=${PORT:-6379}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$head:$port
gpus=${SLURM_GPUS_ON_NODE:-0}
export RAY_worker_niceness=0  # the nodes are this job's alone: no need to stand back

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --node-ip-address="$head" --port="$port" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$gpus" --include-dashboard=false --block &
sleep 20
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" --overlap \
        ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$gpus" --block &
    sleep 20
fi
# The same line again, in a later job, goes on from what is stored.
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    "$python" -m suite run --executor ray --address "$address" "$@"
