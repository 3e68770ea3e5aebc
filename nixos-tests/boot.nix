# The smallest application boots at every level, and says the privilege level that belongs there.
{
  lib,
  ukl,
  vmTest,
  ...
}:
vmTest {
  name = "boot";
  description = "hello at each level";
  images = map (ukl.image "hello") (builtins.attrNames ukl.levels);
  commands = lib.concatMapStrings (level: "xtask run hello --level ${level} --smoke\n") (
    builtins.attrNames ukl.levels
  );
}
