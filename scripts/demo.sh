#!/bin/sh
# Runs one example from a brief to four documents: no API key, no questions.
set -eu
cd "$(dirname "$0")/.."

# Remove settings of this shell, so that the demo always gives the same result.
for name in $(env | sed -n 's/^\(COMBINE_[A-Z0-9_]*\)=.*/\1/p') ANTHROPIC_API_KEY OPENAI_API_KEY; do
    unset "$name"
done
# As root, the database server runs as another user, who may not have access to this folder.
if [ "$(id -u)" -eq 0 ]; then COMBINE_DATA_DIR=/var/lib/combine-demo; else COMBINE_DATA_DIR="$PWD/.demo"; fi
export COMBINE_DATA_DIR

status=0
.venv/bin/combine run examples/bicycle-workshop.md \
    --model offline --no-questions --project demo --out combine-demo </dev/null || status=$?

if [ "$status" -eq 0 ]; then
    echo
    echo "The demo has its own database in $COMBINE_DATA_DIR. To run these commands on it:"
    echo "  . .venv/bin/activate; export COMBINE_DATA_DIR=\"$COMBINE_DATA_DIR\""
    echo "Running \`make demo\` again creates version 2. \`make clean\` stops the database and removes everything."
fi
exit "$status"
