// Package preempt has programs for tests: they count as those of bpf/cgroup.bpf.c do, but
// are so slow in the middle of an update that they are interrupted there all the time.
package preempt

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel -no-global-types -cflags "-O2 -g -mcpu=v3 -Wall -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" Preempt bpf/preempt.bpf.c
