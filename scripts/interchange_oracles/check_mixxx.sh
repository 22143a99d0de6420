#!/usr/bin/env bash
# Mixxx reads the tagged copies of make_files.py: it scans the folder under Xvfb, and what its
# database then has is compared. Needs mixxx, xvfb and xdotool; see make_files.py.
#
#   scripts/interchange_oracles/check_mixxx.sh FOLDER
set -euo pipefail
folder=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
settings=$(mktemp -d)
trap 'kill "${screen:-}" 2>/dev/null; rm -rf "$settings"' EXIT

# The folder to scan; Mixxx makes the other tables.
python3 - "$settings/mixxxdb.sqlite" "$folder/serato" <<'PYTHON'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database:
    database.execute("CREATE TABLE directories (directory TEXT UNIQUE)")
    database.execute("INSERT INTO directories VALUES (?)", (sys.argv[2],))
PYTHON
cat >"$settings/mixxx.cfg" <<'CONFIG'
[Config]
Version 2.3.3
[Library]
RescanOnStartup 1
SeratoMetadataExport 0
CONFIG
export DISPLAY=:97 QT_QPA_PLATFORM=xcb XDG_RUNTIME_DIR=$settings
Xvfb "$DISPLAY" -screen 0 1280x800x24 -nolisten tcp >/dev/null 2>&1 &
screen=$!
sleep 2
mixxx --settingsPath "$settings/" >"$settings/log" 2>&1 &
mixxx=$!
for _ in $(seq 40); do # dialogs of a first start
    sleep 1
    xdotool key Return 2>/dev/null || true
    rows=$(python3 -c "
import sqlite3, sys
try: print(sqlite3.connect('file:$settings/mixxxdb.sqlite?mode=ro', uri=True).execute('select count(*) from library').fetchone()[0])
except sqlite3.Error: print(0)")
    if ((rows >= 6)); then break; fi
done
sleep 5
xdotool key ctrl+q 2>/dev/null || true
for _ in $(seq 15); do
    kill -0 "$mixxx" 2>/dev/null || break
    sleep 1
    xdotool key Return 2>/dev/null || true
done
kill "$mixxx" 2>/dev/null || true
cp "$settings/mixxxdb.sqlite" "$folder/mixxxdb.sqlite"
"${PYTHON:-python3}" "$here/check_mixxx.py" "$folder"
