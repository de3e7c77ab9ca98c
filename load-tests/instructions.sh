#!/usr/bin/env bash
# Prints how many instructions each part of a forwarded packet takes, to be compared from commit to commit.
# Counted by callgrind over two runs of different length, so that what a run needs to begin does not count.
#   usage: load-tests/instructions.sh [PART ...]      (default: all of sfu/benches/packet.rs)
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "instructions: NOT RUN, valgrind is missing" >&2; exit 0; }
bench=$(cargo bench --quiet -p sfu --bench packet --no-run --message-format=json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
counted() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" "$1" "$2" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
short=2000 long=12000
for part in "${@:-$("$bench" list)}"; do for name in $part; do
  few=$(counted "$name" $short)
  many=$(counted "$name" $long)
  printf '%-8s %6d instructions\n' "$name" $(((many - few) / (long - short)))
done; done
