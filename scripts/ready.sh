#!/bin/sh
# Makes the clone ready (setup.mjs), then becomes the command that it is given: sh scripts/ready.sh COMMAND ARGUMENT …
# The npm scripts do it so rather than by `pre` scripts, which npm leaves out where ignore-scripts is set.
stopped=
# SIGHUP says that the terminal is gone; without one, as under nohup, nobody hangs up (src/await-signal.ts).
signals='INT TERM HUP'
[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || { trap '' HUP; signals='INT TERM'; }
# Whoever stops npm stops this shell alone: what it waits for has to hear of it.
trap 'stopped=1; kill "$setup" 2>/dev/null' $signals
# On the Node that npm runs on: the first on the PATH of an npm script is that of node_modules, which may be for another machine.
"${npm_node_execpath:-node}" "$(dirname "$0")/setup.mjs" &
setup=$!
wait "$setup"
code=$?
# A signal ends the waiting, not what is waited for.
while kill -0 "$setup" 2>/dev/null; do
  wait "$setup"
  code=$?
done
[ "$code" -eq 0 ] || exit "$code"
# Before it is looked whether somebody stopped us: from here on whoever does ends us.
trap - $signals
[ -z "$stopped" ] || exit 143
# The shell may remember where a `node` was before there was ours.
hash -r
exec "$@"
