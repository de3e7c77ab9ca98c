#!/usr/bin/env bash
# Prints what a forwarded packet costs: one lesson, one worker pinned to a core, receivers on the other.
#   usage: [WORKERS=N] load-tests/bench.sh [RECEIVERS ...]      (default: 50 200 400)
# With more workers the server has the first N cores, and shares the second with the receivers.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v ffmpeg >/dev/null || { echo "NOT RUN: ffmpeg makes the clip and is missing" >&2; exit 1; }
[ "$(nproc)" -ge 2 ] || { echo "NOT RUN: server and receivers need a core each" >&2; exit 1; }
workers=${WORKERS:-1}
data=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
server=
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$data"' EXIT
ulimit -n 65536 2>/dev/null || true
for receivers in "${@:-50 200 400}"; do for count in $receivers; do
  for gro in "" --gro; do
    rm -rf "${data:?}"/*
    taskset -c "0-$((workers - 1))" target/release/tongke serve --data "$data" --workers "$workers" --listen "127.0.0.1:$port" --http "127.0.0.1:$((port + 1))" \
      --metrics "127.0.0.1:$((port + 2))" --sample >"$data.log" 2>&1 &
    server=$!
    for _ in $(seq 100); do [ -s "$data/sample.json" ] && curl -fso /dev/null "http://127.0.0.1:$((port + 1))/readyz" && break; sleep 0.1; done
    echo "== $count receivers ${gro:-without GRO}, $workers worker(s)"
    taskset -c 1 target/release/tongke-load --sample "$data/sample.json" --receivers "$count" --seconds 10 \
      --joins-per-second 100 --server-pid "$server" $gro
    kill "$server"; wait "$server" 2>/dev/null || true
    port=$((port + 3))
  done
done; done
