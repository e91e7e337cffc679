package process

//go:generate go tool bpf2go -target bpfel -no-global-types process ../../../bpf/process.bpf.c
