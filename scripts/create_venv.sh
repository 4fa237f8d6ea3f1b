#!/bin/sh
# Creates the virtual environment $1 with a suitable version of Python (PYTHON overrides the choice).
# If there is none, says what is missing and how to install it.
set -eu
venv=$1

is_suitable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

can_make_venv() {
    "$1" -c 'import venv, ensurepip' >/dev/null 2>&1
}

if [ -e "$venv/bin/python" ]; then
    is_suitable "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && exit 0
    echo "The environment in $venv cannot be used: it is older than Python 3.11, or has no pip." >&2
    echo "Delete it and run make again:  rm -r $venv" >&2
    exit 1
fi

without_venv=
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 python}; do
    is_suitable "$python" || continue
    if can_make_venv "$python"; then
        echo "Creating $venv with $("$python" --version) (only once; takes half a minute to two minutes)"
        exec "$python" -m venv "$venv"
    fi
    without_venv=${without_venv:-$python}
done

if [ -n "$without_venv" ]; then
    version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$without_venv ($version) cannot create virtual environments: its venv or ensurepip module is missing." >&2
    echo "On Debian and Ubuntu:  sudo apt-get install python$version-venv" >&2
else
    echo "Python 3.11 or newer is required but was not found (tried: ${PYTHON:-python3.13 ... python3})." >&2
    echo "Install it, or specify its path:  make demo PYTHON=/path/to/python3.12" >&2
fi
exit 1
