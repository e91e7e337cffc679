package tc

//go:generate go tool bpf2go -target bpfel -no-global-types tc ../../bpf/tc.bpf.c
