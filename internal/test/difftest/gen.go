// Package difftest holds the C parser (bpf/parse.h) and the Go parser
// (internal/count/packet) to each other: its tests give both the same packets, the
// corpus and random and mutated ones, and compare what they make of them.
package difftest

//go:generate go tool bpf2go -target bpfel -no-global-types parity bpf/parity.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types parityXDP bpf/parityxdp.bpf.c
