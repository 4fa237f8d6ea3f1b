#!/bin/sh
# One example from brief to four documents: no key, no questions, nothing written outside this folder.
set -eu
cd "$(dirname "$0")/.."

# The demo must come out the same whatever this shell has set.
for name in $(env | sed -n 's/^\(COMBINE_[A-Z0-9_]*\)=.*/\1/p') ANTHROPIC_API_KEY OPENAI_API_KEY; do
    unset "$name"
done
# Root's server runs as another user, who may not be able to enter this folder.
if [ "$(id -u)" -eq 0 ]; then COMBINE_DATA_DIR=/var/lib/combine-demo; else COMBINE_DATA_DIR="$PWD/.demo"; fi
export COMBINE_DATA_DIR

status=0
.venv/bin/combine run examples/bicycle-workshop.md \
    --model offline --no-questions --project demo --out combine-demo </dev/null || status=$?

if [ "$status" -eq 0 ]; then
    echo
    echo "The demo keeps its own database in $COMBINE_DATA_DIR. To try these commands on it:"
    echo "  . .venv/bin/activate; export COMBINE_DATA_DIR=\"$COMBINE_DATA_DIR\""
    echo "A second \`make demo\` makes version 2; \`make clean\` stops the database and removes everything."
fi
exit "$status"
