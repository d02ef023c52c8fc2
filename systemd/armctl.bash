# armctl.bash - completion of armctl for bash: verbs, options, names of skills from armd.
_armctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' at=() k
    local verbs='hello status skills chip config teach run stop estop reset move home jog
        guide limp skill forget calibrate export import latency metrics monitor record plot
        rename jog arm scan keygen lease'
    COMPREPLY=()
    for ((k = 1; k < COMP_CWORD; k++)); do
        case ${COMP_WORDS[k]} in
        --key | --server) at+=("${COMP_WORDS[k]}" "${COMP_WORDS[++k]}") ;;
        -e | --endpoint) at+=(-e "${COMP_WORDS[++k]}") ;;
        -*) ;;
        *) verb=${COMP_WORDS[k]} && break ;;
        esac
    done
    case $prev in
    -e | --endpoint) COMPREPLY=($(compgen -W 'ipc:///run/armd/control' -- "$cur")) && return ;;
    --key | --server) compopt -o filenames && COMPREPLY=($(compgen -f -- "$cur")) && return ;;
    --from) COMPREPLY=($(compgen -W 'current start' -- "$cur")) && return ;;
    --updates | --speed | --repeat | --v-scale | --seconds) return ;;
    esac
    if [[ -z $verb && $cur == -* ]]; then
        COMPREPLY=($(compgen -W '--endpoint --key --server --json --help --version' -- "$cur"))
    elif [[ -z $verb ]]; then
        COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
    elif [[ $cur == -* ]]; then
        case $verb in
        teach) set -- --replace --updates ;;
        run) set -- --speed --repeat --from --wait ;;
        move | home) set -- --v-scale ;;
        guide | import) set -- --replace ;;
        limp) set -- --hands-on ;;
        record) set -- --seconds --until-run-done ;;
        lease) set -- --force ;;
        monitor) set -- --once ;;
        latency) set -- --seconds ;;
        *) set -- ;;
        esac
        COMPREPLY=($(compgen -W "--json $*" -- "$cur"))
    else
        case $verb:$prev in
        guide:guide) COMPREPLY=($(compgen -W 'on off save' -- "$cur")) ;;
        lease:lease) COMPREPLY=($(compgen -W 'take renew release' -- "$cur")) ;;
        limp:limp) COMPREPLY=($(compgen -W 'on off' -- "$cur")) ;;
        run:run | skill:skill | forget:forget | rename:rename | export:export)
            COMPREPLY=($(compgen -W "$(armctl "${at[@]}" --json skills 2>/dev/null |
                grep -o '"name":"[^"]*"' | cut -d'"' -f4)" -- "$cur"))
            ;;
        teach:teach) ;;
        teach:* | export:* | import:* | record:* | plot:* | keygen:* | scan:* | guide:save)
            compopt -o filenames && COMPREPLY=($(compgen -f -- "$cur"))
            ;;
        esac
    fi
}
complete -F _armctl armctl
