// Package difftest compares the C parser (bpf/parse.h) with the Go parser (internal/count/packet).
// Its tests give both the same packets: the corpus, and random and mutated packets.
package difftest

//go:generate go tool bpf2go -target bpfel -no-global-types parity bpf/parity.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types parityXDP bpf/parityxdp.bpf.c
