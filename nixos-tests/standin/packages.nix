# The packages that the flake names, each made of the host's programs.
{ lib }:
final:
let
  # A folder of links to programs that the host has in /usr.
  host =
    name: programs:
    derivation {
      name = "host-${name}";
      system = "x86_64-linux";
      builder = "/bin/bash";
      args = [
        "-e"
        "-c"
        ''
          PATH=/usr/bin:/bin
          mkdir -p $out/bin
          for program in ${toString programs}; do
            found=
            for folder in /usr/bin /bin /usr/sbin /sbin; do
              if [ -z "$found" ] && [ -e $folder/$program ]; then found=$folder/$program; fi
            done
            if [ -z "$found" ]; then echo "the host has no $program"; exit 1; fi
            ln -s $found $out/bin/$program
          done
        ''
      ];
    }
    // {
      meta.description = "The host's ${name}";
    };

  words = text: lib.filter (word: lib.isString word && word != "") (builtins.split "[ \n]+" text);

  # What nixpkgs' standard environment has, package by package.
  tools = host "stdenv" (words ''
    [ b2sum base32 base64 basename cat chgrp chmod chown chroot cksum comm cp csplit cut date dd df dir dircolors dirname
    du echo env expand expr factor false fmt fold groups head hostid id install join link ln logname ls md5sum mkdir
    mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr printenv printf ptx pwd readlink realpath
    rm rmdir seq sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync
    tac tail tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink users vdir wc who whoami yes
    bash sh find xargs cmp diff diff3 sdiff sed grep egrep fgrep awk tar gzip gunzip zcat bzip2 bunzip2 bzcat make
    patch xz unxz xzcat file
    gcc cc g++ cpp ar as ld ld.bfd nm objcopy objdump ranlib readelf size strings strip addr2line
  '');
  stdenv = import ./stdenv.nix { inherit lib tools; };
  runCommand =
    name: attrs: buildCommand:
    stdenv.mkDerivation (attrs // { inherit name buildCommand; });
  script =
    name: text: meta:
    runCommand name { inherit text meta; } ''
      mkdir -p $out/bin
      printf '#!/bin/bash\nset -eu\n%s\n' "$text" > $out/bin/${name}
      chmod +x $out/bin/${name}
    '';
in
{
  inherit lib stdenv runCommand;
  runCommandCC = runCommand;

  bc = host "bc" [ "bc" ];
  binutils = host "binutils" [
    "ld"
    "objcopy"
  ];
  bison = host "bison" [ "bison" ];
  bzip2 = host "bzip2" [ "bzip2" ];
  e2fsprogs = host "e2fsprogs" [ "mke2fs" ];
  # Its header is the host's.
  elfutils = host "elfutils" [ ];
  flex = host "flex" [ "flex" ];
  glibc.static = host "glibc-static" [ ];
  gnumake = host "gnumake" [ "make" ];
  nixfmt-tree = script "nixfmt-tree" "exec nixfmt \"$@\"" {
    description = "Formats Nix files";
    mainProgram = "nixfmt-tree";
  };
  passt = host "passt" [ "passt" ];
  patch = host "patch" [ "patch" ];
  perl = host "perl" [ "perl" ];
  procps = host "procps" [ "top" ];
  qemu = host "qemu" [ "qemu-system-x86_64" ];

  linuxManualConfig = lib.makeOverridable (import ./linux.nix { inherit lib stdenv; });
  linuxPackagesFor = kernel: { inherit kernel; };

  # Copied from the sandbox's /sources; Nix compares the hash.
  fetchurl =
    {
      name,
      sha256,
      url ? null,
      urls ? [ url ],
    }:
    derivation {
      inherit name urls;
      system = "x86_64-linux";
      builder = "/bin/bash";
      args = [
        "-c"
        # Not cp as the last command, which bash would become: cp closes its output before it exits, and Nix kills a builder that
        # has closed it.
        "/bin/cp /sources/${name} $out && exit 0"
      ];
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      outputHash = sha256;
    };

  linkFarm =
    name: entries:
    runCommand name { } (
      lib.concatMapStrings (entry: ''
        mkdir -p $(dirname $out/${entry.name})
        ln -s ${entry.path} $out/${entry.name}
      '') entries
    );
  writeText = name: text: runCommand name { inherit text; } ''printf %s "$text" > $out'';
  writeTextFile =
    {
      name,
      text,
      executable ? false,
    }:
    runCommand name { inherit text; } ''
      printf %s "$text" > $out
      ${lib.optionalString executable "chmod +x $out"}
    '';
  writeShellApplication =
    {
      name,
      text,
      runtimeInputs,
      meta ? { },
    }:
    script name "export PATH=\"${lib.makeBinPath runtimeInputs}:$PATH\"\n${text}" (
      { description = name; } // meta // { mainProgram = name; }
    );
  mkShell =
    attrs:
    stdenv.mkDerivation (
      builtins.removeAttrs attrs [ "packages" ]
      // {
        name = "shell";
        nativeBuildInputs = attrs.packages;
        buildCommand = "echo $PATH > $out";
      }
    );

  # Evaluates the machines' modules as far as they are this repository's; there is no NixOS to build.
  testers.runNixOSTest =
    {
      name,
      nodes,
      testScript,
      meta,
    }:
    let
      evaluated = lib.mapAttrs (
        _: node:
        let
          config = node { pkgs = final; };
          module =
            module:
            (module {
              inherit config lib;
              pkgs = final;
            }).config;
        in
        map module (config.imports or [ ])
      ) nodes;
      refused = runCommand name { inherit meta testScript; } ''
        echo "${name} boots NixOS, which this stand-in for nixpkgs does not have"
        exit 1
      '';
      kernels = lib.concatMap (map (one: "${one.boot.kernelPackages.kernel}")) (
        builtins.attrValues evaluated
      );
    in
    refused.overrideAttrs { inherit kernels; };
}
