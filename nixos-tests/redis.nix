# Redis in ring 0 serves its clients, lives with the tools in the guest, and finds its data again after a reboot.
{ ukl, vmTest, ... }:
vmTest {
  name = "redis";
  description = "Redis at level byb, from outside and beside it";
  images = [ (ukl.image "redis" "byb") ];
  commands = ''
    xtask test byb/smp1/redis/
    xtask run redis --level byb --smoke
  '';
}
