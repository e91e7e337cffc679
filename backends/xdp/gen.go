package xdp

//go:generate go tool bpf2go -target bpfel -no-global-types xdp ../../bpf/xdp.bpf.c
