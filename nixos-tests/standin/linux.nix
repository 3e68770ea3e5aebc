# linuxManualConfig: what the real one does to the tree, the configuration and the command lines.
{ lib, stdenv }:
{
  version,
  modDirVersion ? version,
  src,
  configfile,
  config ? throw "a configuration that only a build knows would have to be imported from it",
  kernelPatches ? [ ],
  extraMeta ? { },
  features ? { },
  ...
}:
stdenv.mkDerivation {
  pname = "linux";
  inherit version src;
  outputs = [
    "out"
    "dev"
  ];
  patches = map (patch: patch.patch) kernelPatches;
  nativeBuildInputs = [ ];
  hardeningDisable = [ "all" ];
  postPatch = "sed -i Makefile -e 's|--build-id=[^ ]*|--build-id=none|' ";
  makeFlags = [
    "O=$(buildRoot)"
    "KBUILD_BUILD_VERSION=1-NixOS"
    "ARCH=x86_64"
    "CC=gcc"
    "HOSTCC=gcc"
  ];
  configurePhase = ''
    runHook preConfigure
    mkdir build
    export buildRoot=$PWD/build
    ln -s ${configfile} $buildRoot/.config
    make $makeFlags oldconfig < /dev/null
    runHook postConfigure
    make $makeFlags prepare
    release=$(cat $buildRoot/include/config/kernel.release)
    if [ "$release" != ${modDirVersion} ]; then echo "modDirVersion is ${modDirVersion}, the kernel's $release"; exit 1; fi
    buildFlagsArray+=("KBUILD_BUILD_TIMESTAMP=$(date -u -d @$SOURCE_DATE_EPOCH)")
    cd $buildRoot
  '';
  buildFlags = [
    "bzImage"
    "vmlinux"
  ];
  installPhase = ''
    runHook preInstall
    mkdir -p $out $dev
    cp arch/x86/boot/bzImage System.map $out/
    cp vmlinux $dev/
    runHook postInstall
  '';
  passthru = {
    inherit
      config
      version
      modDirVersion
      kernelPatches
      features
      ;
  };
  meta = {
    description = "The Linux kernel";
    license = lib.licenses.gpl2Only;
  }
  // extraMeta;
}
