# The tarball of a `[source]` block, checked against its hash, as the folder sources/ of UKL_PREBUILT.
{
  lib,
  fetchurl,
  linkFarm,
}:
owner:
let
  inherit ((builtins.fromTOML (builtins.readFile owner)).source) package file sha256;
  folder =
    if lib.hasPrefix "lib" package then
      builtins.substring 0 4 package
    else
      builtins.substring 0 1 package;
  tarball = fetchurl {
    name = file;
    inherit sha256;
    urls = [
      "mirror://debian/pool/main/${folder}/${package}/${file}"
      # A pool drops a version when a newer one replaces it; the snapshot archive keeps all of them, by date.
      "https://snapshot.debian.org/archive/debian/20250901T000000Z/pool/main/${folder}/${package}/${file}"
    ];
  };
in
linkFarm "ukl-source-${package}" [
  {
    name = "sources/${file}";
    path = tarball;
  }
]
// {
  inherit tarball file;
  # What stands between Debian's package name and its suffix.
  version = builtins.head (builtins.match "[^_]*_(.*)\\.orig\\.tar\\..*" file);
}
