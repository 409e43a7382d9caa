#!/bin/sh
# Copies what images.json names to $MIRROR. The first argument is a directory for what is left.
set -eu
here=$(dirname "$0")
left=${1:?usage: nightly.sh DIRECTORY}
mkdir -p "$left"

# One at a time: a long copy must not meet the one of the next night.
exec 9>"$left/lock"
flock -n 9 || { echo "an earlier run is still under way" >&2; exit 0; }

specs=$left/specs.json failed=$left/failed.json
jq --arg to "${MIRROR:?MIRROR is where the images go}" -f "$here/specs.jq" "$here/images.json" >"$specs"

code=0
airlift copy --specs "$specs" --report "$left/report.json" --failed "$failed" || code=$?
# 3: some failed, the others are delivered. 1: all did.
if [ "$code" = 3 ] || [ "$code" = 1 ]; then
    mv "$failed" "$specs"
    code=0
    airlift copy --specs "$specs" --report "$left/again.json" --failed "$failed" || code=$?
fi
[ -s "$failed" ] || rm -f "$failed"
exit "$code"
