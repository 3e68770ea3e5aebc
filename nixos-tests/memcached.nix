# Memcached with its threads on two CPUs.
{ ukl, vmTest, ... }:
vmTest {
  name = "memcached";
  description = "memcached at level byb, with all its threads";
  images = [ (ukl.image "memcached" "byb") ];
  commands = "xtask test byb/smp2/memcached/";
}
