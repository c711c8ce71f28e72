#!/bin/sh
# Runs an experiment on every interpreter in this folder, side by side, with nothing else needed.
#
#   ./run                       what there is to run
#   ./run scaling --full        run it; results go to results/
#   ./run scaling --help        its options
#   ./run report results/X      draw a result's page anew
#   ./run check                 start every interpreter and show what it is
set -eu

say() { printf 'run: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

here=$(CDPATH='' cd -P "$(dirname "$0")" && pwd) || die "cannot enter the folder of $0"

[ "$(uname -s)" = Linux ] || die "this bundle is for Linux, and this machine runs $(uname -s)"
case $(uname -m) in
    x86_64 | amd64) ;;
    *) die "this bundle is for x86-64, and this machine is $(uname -m)" ;;
esac

# Prints the version of glibc; musl and others have none.
glibc_version() {
    text=$(getconf GNU_LIBC_VERSION 2>/dev/null) || text=
    case $text in "glibc "*) echo "${text#glibc }"; return ;; esac
    text=$(ldd --version 2>&1) || :
    case $text in
        *musl*) echo musl ;;
        *GLIBC* | *"GNU libc"*) echo "$text" | sed -n '1s/.* //p' ;;
    esac
}
glibc=$(glibc_version)
case $glibc in
    musl) die "this machine has musl, and the bundle needs glibc: use a distribution with glibc" ;;
    [0-9]*.[0-9]*) ;;
    *) die "cannot tell this machine's C library; the bundle needs glibc" ;;
esac

# Tells whether version $1 is at least $2.
at_least() {
    a=${1#*.} b=${2#*.}
    [ "${1%%.*}" -gt "${2%%.*}" ] ||
        { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${a%%.*}" -ge "${b%%.*}" ]; }
}

# Tells whether the machine has the compiler's library for C++, which packages need.
has_libstdcxx() {
    for folder in /lib64 /usr/lib64 /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu /usr/lib /lib; do
        [ ! -e "$folder/libstdc++.so.6" ] || return 0
    done
    return 1
}
spare=no
has_libstdcxx || spare=yes

# Reads what one interpreter says about itself into program, needs, state, report.
read_facts() {
    program='' needs='' state='' report=''
    while IFS='=' read -r key value; do
        case $key in
            program) program=$1/$value ;;
            glibc) [ "$spare" = yes ] || needs=$value ;;
            glibc_with_spare) [ "$spare" = no ] || needs=$value ;;
            state) state=$value ;;
            report) report=$value ;;
        esac
    done <"$1/facts"
    [ -x "$program" ] || die "$1 is not whole: unpack its archive again"
}

main='' drawing='' first='' first_name='' libraries=''
names=''
for folder in "$here"/interpreters/*; do
    [ -f "$folder/facts" ] || continue
    name=${folder##*/}
    read_facts "$folder"
    at_least "$glibc" "$needs" ||
        die "this machine has glibc $glibc, and $name needs $needs or newer:" \
            "remove $folder, or pack where glibc is as old as here"
    [ -n "$first" ] || first=$state first_name=$name main=$program
    [ "$state" = "$first" ] ||
        die "$name and $first_name were packed from different states of the project:" \
            "unpack archives of one packing into a new folder"
    [ "$report" != yes ] || [ -n "$drawing" ] || drawing=$program
    names="$names $name"
    libraries=$libraries${libraries:+:}$folder/lib
    [ "$spare" = no ] || libraries=$libraries:$folder/lib/spare
done
[ -n "$names" ] || die "no interpreter in $here/interpreters: unpack an archive here"
[ -z "$drawing" ] || main=$drawing

# What the caller's shell says to Python and to the loader would change what is measured.
[ -z "${LD_PRELOAD:-}" ] || say "LD_PRELOAD is left out: it would change what is measured"
unset LD_PRELOAD PYTHONHOME PYTHONPATH PYTHON_GIL PYTHONSTARTUP PYTHONOPTIMIZE PYTHONMALLOC
LD_LIBRARY_PATH=$libraries
PYTHONNOUSERSITE=1
# The machine's own settings are for its own OpenSSL.
OPENSSL_CONF=/dev/null
XDG_CACHE_HOME=${XDG_CACHE_HOME:-$here/cache}
MPLCONFIGDIR=${MPLCONFIGDIR:-$here/cache/matplotlib}
export LD_LIBRARY_PATH PYTHONNOUSERSITE OPENSSL_CONF XDG_CACHE_HOME MPLCONFIGDIR

list() {
    echo "interpreters:$names"
    echo "experiments:"
    for script in "$here"/project/experiments/*/run.py; do
        script=${script%/run.py}
        echo "    ${script##*/}"
    done
    echo "run one with: ./run NAME --full"
}

check() {
    for name in $names; do
        read_facts "$here/interpreters/$name"
        "$program" -c "import numpy, PIL.Image; from ftloader.lab import arms; arms.print_identity()" ||
            die "$name does not run here"
    done
}

[ $# -gt 0 ] || { list; exit 0; }
command=$1
shift
case $command in
    check) check; exit 0 ;;
    report)
        [ -n "$drawing" ] || die "no interpreter here can draw reports: do it where they are read"
        exec "$drawing" -m ftloader report "$@"
        ;;
    -h | --help) list; exit 0 ;;
esac
script=$here/project/experiments/$command/run.py
[ -f "$script" ] || die "no experiment $command here; ./run lists those there are"

out=
for word in "$@"; do
    # Only a measurement needs a new folder.
    case $word in --out | --out=* | --continue | --continue=* | -h | --help) out=no ;; esac
done
if [ -z "$out" ]; then
    out=$here/results/$command-$(date -u +%Y%m%dT%H%M%SZ)
    say "results go to $out"
    set -- --out "$out" "$@"
fi
for name in $names; do
    read_facts "$here/interpreters/$name"
    set -- "$@" --interpreter "$program"
done
exec "$main" "$script" "$@"
