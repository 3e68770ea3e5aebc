# The phases of a build, in the order and with the defaults of nixpkgs' standard environment.
set -o pipefail
shopt -s nullglob
export PATH=$inputPath:$standardPath HOME=/homeless-shelter SHELL=/bin/bash TZ=UTC
export NIX_BUILD_CORES=${NIX_BUILD_CORES:-1} SOURCE_DATE_EPOCH=315532800
PATH=${PATH#:}

runHook() { eval "${!1:-}"; }

# `phase NAME`: the attribute of that name, else the function.
phase() {
    local skip=dont${1^}
    skip=${skip%Phase}
    if [ -n "${!skip:-}" ]; then return; fi
    echo "phase: $1"
    if [ -n "${!1:-}" ]; then eval "${!1}"; else "$1"; fi
}

unpackPhase() {
    runHook preUnpack
    if [ -d "$src" ]; then
        local name=${src##*/}
        sourceRoot=$(echo "$name" | sed -E 's/^[a-z0-9]{32}-//')
        cp -r --preserve=timestamps "$src" "$sourceRoot"
    else
        tar --extract --file "$src"
        sourceRoot=$(ls -d */ | head -n 1)
    fi
    chmod -R u+w "$sourceRoot"
    runHook postUnpack
    cd "$sourceRoot"
}

patchPhase() {
    runHook prePatch
    local each
    for each in ${patches:-}; do
        echo "applying patch $each"
        patch ${patchFlags:--p1} < "$each"
    done
    runHook postPatch
}

configurePhase() {
    runHook preConfigure
    if [ -x ./configure ]; then ./configure --prefix="$out" $configureFlags; fi
    runHook postConfigure
}

buildPhase() {
    runHook preBuild
    if [ -f Makefile ]; then make -j"$NIX_BUILD_CORES" $makeFlags "${makeFlagsArray[@]}" $buildFlags "${buildFlagsArray[@]}"; fi
    runHook postBuild
}

installPhase() {
    runHook preInstall
    if [ -f Makefile ]; then make $makeFlags "${makeFlagsArray[@]}" $installFlags install; fi
    runHook postInstall
}

# The host's /bin and /usr are in the sandbox, so the scripts' interpreters are where they say.
patchShebangs() { :; }

cd "$NIX_BUILD_TOP"
if [ -n "${buildCommand:-}" ]; then
    eval "$buildCommand"
else
    phase unpackPhase
    phase patchPhase
    phase configurePhase
    phase buildPhase
    phase installPhase
fi
for output in $outputs; do
    if [ ! -e "${!output}" ]; then
        echo "the build succeeded, but there is no output $output"
        exit 1
    fi
done
