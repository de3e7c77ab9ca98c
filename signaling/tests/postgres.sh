#!/bin/sh
# A PostgreSQL server for tests, in a folder of its own, gone when its reader is. Durability is off.
#   postgres.sh                 prints its folder, which is its socket's, and serves until its input ends
#   postgres.sh COMMAND...      runs the command with TONGKE_TEST_POSTGRES naming the folder: one server for many programs
set -eu
BIN=${BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
[ -x "$BIN/initdb" ] || { echo "PostgreSQL is not installed: run .ci/setup test" >&2; exit 1; }
here=$PWD
folder=$(mktemp -d "${TMPDIR:-/tmp}/tongke-pg.XXXXXX")
as=
if [ "$(id -u)" = 0 ]; then
  chown nobody "$folder"
  as="setpriv --reuid nobody --regid nogroup --clear-groups env HOME=$folder"
fi
cd "$folder"
end() {
  [ ! -f "$folder/data/postmaster.pid" ] || kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")" || :
  cd /
  rm -rf "$folder"
}
trap end EXIT
# dash runs the trap above only when it exits by itself.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
$as "$BIN/initdb" -D "$folder/data" -U tongke -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
$as "$BIN/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -w -o "-k $folder -c listen_addresses= -c fsync=off \
  -c synchronous_commit=off -c full_page_writes=off -c max_connections=1000 -c shared_buffers=32MB" start >"$folder/log" 2>&1 \
  || { cat "$folder/log" "$folder/data/server.log" >&2; exit 1; }
if [ $# -gt 0 ]; then
  cd "$here"
  TONGKE_TEST_POSTGRES=$folder "$@"
  exit
fi
echo "$folder"
# A reader of our output must not have to wait for the server's end.
exec >/dev/null 2>&1
cat
