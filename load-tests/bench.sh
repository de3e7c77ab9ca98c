#!/usr/bin/env bash
# Prints what the media plane costs and carries: a table of rows, each with what is asked and what was measured.
#   usage: load-tests/bench.sh [ROW ...]     (default: all: cost delay workers bell late slow flood lessons capacity)
# The server is pinned to core 0 and the receivers to core 1, but where two workers are compared with one.
# Takes about six minutes. BENCH_OUT names a folder that keeps the JSON of each run. TONGKE, TONGKE_LOAD name binaries.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v ffmpeg >/dev/null || { echo "NOT RUN: ffmpeg makes the clip and is missing" >&2; exit 1; }
[ "$(nproc)" -ge 2 ] || { echo "NOT RUN: server and receivers need a core each" >&2; exit 1; }
server_binary=${TONGKE:-target/release/tongke}
load_binary=${TONGKE_LOAD:-target/release/tongke-load}
out=${BENCH_OUT:-$(mktemp -d)}
mkdir -p "$out"
data=$(mktemp -d)
port=$((20000 + RANDOM % 8000))
server=
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$data"' EXIT
ulimit -n "$(ulimit -Hn)"
rows=()

# serve CORES WORKERS: a fresh server with a sample lesson, and its process id in $server.
serve() {
  port=$((port + 3))
  rm -rf "${data:?}"/*
  taskset -c "$1" "$server_binary" serve --data "$data" --listen "127.0.0.1:$port" --http "127.0.0.1:$((port + 1))" \
    --metrics "127.0.0.1:$((port + 2))" --workers "$2" --sample >"$out/server.log" 2>&1 &
  server=$!
  for _ in $(seq 200); do
    [ -s "$data/sample.json" ] && curl -fso /dev/null "http://127.0.0.1:$((port + 1))/readyz" && return
    sleep 0.1
  done
  cat "$out/server.log" >&2
  exit 1
}

stop() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

# load CORES NAME OPTIONS: one run against the server; its rows are kept for the table.
load() {
  local cores=$1 name=$2 found
  shift 2
  echo "== $name: $*" >&2
  # The tool ends with 2 where a classroom did not come through: its rows say so.
  taskset -c "$cores" "$load_binary" --json "$out/$name.json" "$@" 2>"$out/$name.txt" || true
  cat "$out/$name.txt" >&2
  found=$(grep '^row: ' "$out/$name.txt") || found="row: $name: could not be measured"
  rows+=("$found")
}

against_server() {
  load "$1" "$2" --sample "$data/sample.json" --server-pid "$server" "${@:3}"
}

cost() {
  for gro in "" --gro; do
    serve 0 1
    against_server 1 "cost-400$gro" --receivers 400 --seconds 10 --joins-per-second 100 $gro
    stop
  done
}

delay() {
  serve 0 1
  against_server 1 delay-200 --receivers 200 --seconds 10 --joins-per-second 100 --floor-seconds 0
  stop
}

workers() {
  local costs=() seats=200
  for count in 1 2; do
    serve 0,1 "$count"
    echo "== $count workers" >&2
    taskset -c 0,1 "$load_binary" --sample "$data/sample.json" --server-pid "$server" --receivers $seats --seconds 10 \
      --joins-per-second 100 --floor-seconds 0 --json "$out/workers-$count.json" || true
    stop
    costs+=("$(grep -o '"cpu_us_per_packet":[0-9.]*' "$out/workers-$count.json" | cut -d: -f2)")
  done
  rows+=("$(awk -v one="${costs[0]}" -v two="${costs[1]}" -v seats="$seats" 'BEGIN {
    printf "row: two workers against one, %d receivers: asked CPU per packet <= 1.1 x, measured %.2f x (%.2f and %.2f us) [%s]",
      seats, two / one, one, two, two <= 1.1 * one ? "met" : "NOT MET" }')")
}

bell() {
  serve 0 1
  against_server 1 bell --receivers 100 --seconds 3 --joins-per-second 100 --bell 300 --floor-seconds 0
  stop
}

late() {
  for still in "" --still; do
    serve 0 1
    against_server 1 "late$still" --receivers 40 --seconds 2 --joins-per-second 5 --line delay_ms=40 --floor-seconds 0 $still
    stop
  done
}

slow() {
  serve 0 1
  against_server 1 slow --receivers 500 --seconds 15 --joins-per-second 100 --slow 1:100k --floor-seconds 0
  stop
}

flood() {
  serve 0 1
  against_server 1 flood --receivers 100 --seconds 15 --joins-per-second 100 --flood 1 --floor-seconds 0
  stop
}

lessons() {
  # Server and receivers are one process here: the figure is the media threads' alone.
  load 0,1 lessons --lessons 20 --receivers 100 --seconds 10 --joins-per-second 100 --floor-seconds 3
}

capacity() {
  for gro in "" --gro; do
    serve 0 1
    # Near the limit the tool must not be the bottleneck: it opens one packet in sixteen and reads every header.
    against_server 1 "capacity$gro" --receivers 200 --seconds 4 --joins-per-second 150 --check-every 16 --capacity 3600 \
      --floor-seconds 0 $gro
    stop
  done
}

for row in ${@:-cost delay workers bell late slow flood lessons capacity}; do
  case $row in
    cost | delay | workers | bell | late | slow | flood | lessons | capacity) "$row" ;;
    *) sed -n '2,5p' "$0" >&2; exit 64 ;;
  esac
done
echo "Load of the machine: $(cut -d' ' -f1-3 /proc/loadavg); reports: $out"
printf '%s\n' "${rows[@]}"
