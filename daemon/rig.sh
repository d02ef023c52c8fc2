# rig.sh - for scripts: a simulated arm and armd in a folder of their own.
#
# The script sets `build`, the folder with the programs, and `me`, its name, and sources
# this from the root of the project; sim_options, arm and conf may be set too.  $run is the
# folder; all ends with the script.
run=$(mktemp -d "/tmp/armd-$me.XXXXXX") || exit 74
export ARMCTL_CLIENT= # whatever else drives this arm, armctl takes no lease
arm=${arm:-scorbot} conf=${conf:-sim}
sim='' armd='' record='' web=''

clean() {
    trap - EXIT
    trap '' INT TERM # once is enough
    for pid in $web $record $armd $sim; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$run"
}
trap clean EXIT
trap 'clean; exit 130' INT TERM

ctl() {
    "$build/armctl" -e "ipc://$run/control" "$@"
}

fail() {
    echo "$me: $1" >&2
    cat "$run/armsim.log" "$run/armd.log" >&2 2>/dev/null
    exit 1
}

# starts both on the shipped configuration ($conf, of $arm), changed by the arguments, which are sed's, and
# waits until they have met
start_rig() {
    sed -e "s|/run/armd|$run|; s|/var/lib/armd|$run|" \
        -e "s|arms/$arm|$PWD/config/arms/$arm|; s|weights/|$PWD/config/weights/|" \
        "$@" "config/$conf.yaml" >"$run/armd.yaml"
    # servos are not slowed down by what else the machine does; where that is allowed
    fifo=$(chrt -f 40 true 2>/dev/null && echo chrt -f 40)
    $fifo "$build/armsim" --model "config/arms/$arm.xml" --link "$run/arm0" \
        ${sim_options:-} \
        >"$run/armsim.log" 2>&1 &
    sim=$!
    "$build/armd" -c "$run/armd.yaml" >"$run/armd.log" 2>&1 &
    armd=$!
    tries=0
    until [ "$(ctl --json status 2>/dev/null | jq -r .state)" = idle ]; do
        tries=$((tries + 1))
        { [ $tries -lt 60 ] && kill -0 $armd 2>/dev/null; } || fail "armd did not meet its arm"
        sleep 0.2
    done
}

# runs skill $1 once; its telemetry goes to $run/$1.jsonl, what armctl said to run.json
record_run() {
    ctl record "$run/$1.jsonl" --until-run-done >/dev/null 2>&1 &
    record=$!
    sleep 0.5
    ctl --json run "$1" --wait >"$run/run.json" 2>"$run/err" || {
        ctl --json status | jq -e '.faults | length > 0' >/dev/null || fail "$(cat "$run/err")"
        echo '{"complete": false}' >"$run/run.json"
    }
    wait $record
    record=''
}

# the same, and once more when the machine stalled and armd stopped the arm, as it should
record_run_patiently() {
    record_run "$1"
    if [ "$(jq -rs '.[-1].complete' "$run/run.json")" != true ]; then
        echo "(the machine stalled and armd stopped the arm, as it should: once more)"
        ctl reset >/dev/null 2>&1
        record_run "$1"
    fi
}
