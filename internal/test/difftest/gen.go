// Package difftest holds the C parser (bpf/parse.h) and the Go parser
// (internal/count/packet) to each other: its tests give both the same packets, the
// corpus and random and mutated ones, and compare what they make of them.
package difftest

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel -no-global-types -cflags "-O2 -g -mcpu=v3 -Wall -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" parity bpf/parity.bpf.c
//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target bpfel -no-global-types -cflags "-O2 -g -mcpu=v3 -Wall -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" parityXDP bpf/parityxdp.bpf.c
