package retransmit

//go:generate go tool bpf2go -target bpfel -no-global-types retransmit ../../../bpf/retransmit.bpf.c
