# Instruction counts, which are the same in every run: each level needs fewer than the one before.
{ ukl, vmTest, ... }:
vmTest {
  name = "order";
  description = "each level needs fewer instructions than the one before";
  images = map (ukl.image "microbench") (builtins.attrNames ukl.levels);
  commands = "xtask test order/microbench/";
}
