#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A shell script: one psql per INSERT. Slower than the others' beat, for a process each is dear.
number=0
now() { local t=${EPOCHREALTIME/[.,]/}; now=${t%???}; }
while :; do
    number=$((number + 1))
    now; echo "$now $number begin"
    if error=$(psql -XqAt -c "INSERT INTO writes (client) VALUES ('$CLIENT')" 2>&1); then
        now; echo "$now $number ok"
    else
        now; echo "$now $number error - ${error//$'\n'/ }"
    fi
    sleep 0.05
done
