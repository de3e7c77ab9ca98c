#!/usr/bin/env bash
# A rural line for real programs: two network namespaces, `hub` and `classroom`, joined by tongke-line. Needs root.
#
#   netns.sh up [OPTIONS]      hub is 10.77.0.1 and fd77::1, classroom is 10.77.0.2 and fd77::2
#                              options as of tongke-line: --down preset=300k --up loss_pct=5,delay_ms=40 --seed 7
#   netns.sh set SETTINGS      change the line while it runs: "down rate_kbps=300,loss_pct=5", "up preset=dead"
#   netns.sh counts            what became of the packets so far
#   netns.sh block-udp         drop UDP on its way into both namespaces (`free-udp` ends it)
#   netns.sh move ADDRESS      the classroom's IPv4 address becomes 10.77.0.ADDRESS, and its IPv6 address fd77::ADDRESS
#   netns.sh rebind PORT TO [ADDRESS]   to the hub, the classroom's UDP port PORT looks like TO, as behind a NAT that
#                              forgot: what is sent to PORT is lost; with an ADDRESS also like 10.77.0.ADDRESS, as when a school's line changes
#   netns.sh down              take it all away
#
# up is classroom to hub, down is hub to classroom. Run a program on one side with: ip netns exec classroom COMMAND
# NETNS_PREFIX stands before both names, so that two lines can be up at once.
# TONGKE_LINE names the binary (else target/release or target/debug), NETNS_STATE the folder for pid and log.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
prefix=${NETNS_PREFIX:-}
state=${NETNS_STATE:-$here/target/${prefix}netns}
hub=${prefix}hub
classroom=${prefix}classroom

binary() {
  for candidate in "${TONGKE_LINE:-}" "$here/target/release/tongke-line" "$here/target/debug/tongke-line"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; return; fi
  done
  echo "tongke-line is not built: cargo build -p load-tests --bin tongke-line" >&2
  exit 1
}

need_root() {
  if [ "$(id -u)" != 0 ]; then echo "namespaces need root" >&2; exit 77; fi
}

take_down() {
  if [ -s "$state/pid" ]; then kill "$(cat "$state/pid")" 2>/dev/null || true; fi
  for side in "$hub" "$classroom"; do ip netns del "$side" 2>/dev/null || true; done
  rm -rf "$state"
}

# The answer to a command is the next line of the log.
tell() {
  local before
  before=$(wc -l <"$state/log")
  echo "$1" >"$state/commands"
  for _ in $(seq 50); do
    if [ "$(wc -l <"$state/log")" -gt "$before" ]; then
      tail -n 1 "$state/log"
      case $(tail -n 1 "$state/log") in refused*) exit 1 ;; *) return ;; esac
    fi
    sleep 0.02
  done
  echo "the line does not answer" >&2
  exit 1
}

case "${1:-}" in
  up)
    shift
    need_root
    line=$(binary)
    take_down
    mkdir -p "$state"
    mkfifo "$state/commands"
    for side in "$hub" "$classroom"; do
      ip netns add "$side"
      ip -n "$side" link set lo up
    done
    # The descriptor keeps the pipe open, or the first command's end would be the end of all commands.
    ( exec 3<>"$state/commands"; exec "$line" "$classroom" "$hub" "$@" <&3 >"$state/log" 2>&1 ) &
    echo $! >"$state/pid"
    for _ in $(seq 100); do
      if grep -q '^ready$' "$state/log" 2>/dev/null; then break; fi
      if ! kill -0 "$(cat "$state/pid")" 2>/dev/null; then cat "$state/log" >&2; take_down; exit 1; fi
      sleep 0.05
    done
    number=1
    for side in "$hub" "$classroom"; do
      ip -n "$side" addr add "10.77.0.$number/24" dev line0
      ip -n "$side" -6 addr add "fd77::$number/64" dev line0 nodad
      ip -n "$side" link set line0 mtu 1500 up
      number=$((number + 1))
    done
    ;;
  set) tell "$2" ;;
  counts) tell counts ;;
  block-udp)
    # On the input hook: dropped on output, sendto would fail, which no real line does. `inet` covers IPv6 too.
    need_root
    for side in "$hub" "$classroom"; do
      ip netns exec "$side" nft -f - <<'RULES'
table inet line {
  chain into {
    type filter hook input priority 0; policy accept;
    meta l4proto udp drop
  }
}
RULES
    done
    ;;
  free-udp)
    need_root
    for side in "$hub" "$classroom"; do ip netns exec "$side" nft delete table inet line; done
    ;;
  move)
    need_root
    for old in $(ip -n "$classroom" -o addr show dev line0 scope global | awk '{print $4}'); do
      ip -n "$classroom" addr del "$old" dev line0
    done
    ip -n "$classroom" addr add "10.77.0.$2/24" dev line0
    ip -n "$classroom" -6 addr add "fd77::$2/64" dev line0 nodad
    ;;
  rebind)
    # Rewritten packet by packet: the kernel's own NAT would keep what it knows of the flow.
    need_root
    address=${4:-2}
    ip netns exec "$classroom" nft -f - <<RULES
table inet nat_port
delete table inet nat_port
table inet nat_port {
  chain out {
    type filter hook postrouting priority 0;
    oifname line0 ip saddr 10.77.0.2 udp sport $2 udp sport set $3 ip saddr set 10.77.0.$address
    oifname line0 ip6 saddr fd77::2 udp sport $2 udp sport set $3 ip6 saddr set fd77::$address
  }
  chain in {
    type filter hook prerouting priority -300;
    iifname line0 ip daddr 10.77.0.2 udp dport $2 drop
    iifname line0 ip6 daddr fd77::2 udp dport $2 drop
    iifname line0 ip daddr 10.77.0.$address udp dport $3 udp dport set $2 ip daddr set 10.77.0.2
    iifname line0 ip6 daddr fd77::$address udp dport $3 udp dport set $2 ip6 daddr set fd77::2
  }
}
RULES
    ;;
  down) need_root; take_down ;;
  *) sed -n '2,18p' "$0"; exit 64 ;;
esac
