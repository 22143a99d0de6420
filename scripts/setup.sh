#!/usr/bin/env bash
# Installs what `make demo` and `make test` need. Both call it.
#
#   scripts/setup.sh demo|test
#
# System packages only where the thing itself is missing, and only as root: any other user
# gets the command to type. Python packages go to .venv and nowhere else.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=$1
python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*"; }
stop() {
    say "$@" >&2
    exit 1
}

# ---------------------------------------------------------------- Python

found=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")') ||
    stop "$python does not run; name another: make $purpose PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "Python 3.11 or later is needed, and $python is $found;" \
        "name another: make $purpose PYTHON=python3.11"

# ---------------------------------------------------------------- system packages

missing=()
want() { "${@:2}" >/dev/null 2>&1 || missing+=("$1"); }
library() { "$python" -c "import ctypes; ctypes.CDLL('$1')"; }

want "python$found-venv" "$python" -c 'import ensurepip, venv' # Debian keeps it apart
want libportaudio2 library libportaudio.so.2
want libatomic1 library libatomic.so.1
if [[ $purpose == test ]]; then
    want jackd2 command -v jackd # a dummy sound card
    want pipewire command -v pipewire # another, as desktops have it
    want pipewire-bin command -v pw-link
    want pipewire-jack command -v pw-jack
    want wireplumber command -v wireplumber
    want dbus-daemon command -v dbus-daemon
    want jack-midi-clock command -v jack_midi_clock # sends and reads MIDI clock
    want ffmpeg command -v ffmpeg # makes files to be read
    want sox command -v sox # another reader of what is recorded
    want liblo-tools command -v oscsend # OSC peers that are not ours
    want chromium command -v chromium # shows the web UI
    want gcc command -v gcc # one test counts calls of malloc
    want libc6-dev test -e /usr/include/stdlib.h
fi

if ((${#missing[@]})); then
    ((EUID == 0)) || stop "these system packages are missing; install them, then try again:" \
        $'\n\n    sudo apt-get install' "${missing[@]}" $'\n'
    command -v apt-get >/dev/null ||
        stop "missing, and no apt-get to install them with: ${missing[*]}"
    say "installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive # jackd2 would ask a question
    apt-get update -qq || say "the lists of packages are not up to date; trying all the same"
    apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null ||
        stop "apt-get could not install them: see its lines above"
fi

# ---------------------------------------------------------------- Python packages

if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    "$python" -m venv --clear .venv
fi
what=".[demo]"
[[ $purpose == demo ]] || what=".[${EXTRAS:-dev}]"
say "installing Python packages into .venv (a minute or two, once)"
pip() { "$1/bin/python" -m pip install -qq --disable-pip-version-check "${@:2}"; }
if [[ $what == *prep* ]]; then
    pip .venv torch==2.13.0 # before what needs it, so that a build for the CPU that is there stays
fi
pip .venv --editable "$what"
# spotdl holds back rich, anyio, websockets and fastapi, so it lives apart.
if [[ $purpose == test && ,${EXTRAS:-dev}, == *,download,* ]]; then
    say "installing spotdl into .venv/spotdl"
    [[ -x .venv/spotdl/bin/pip ]] || "$python" -m venv .venv/spotdl
    pip .venv/spotdl 'spotdl>=4.5,<5'
fi
touch .venv/for-demo ".venv/for-$purpose" # what the tests need is enough for the demo
