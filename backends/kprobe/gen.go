package kprobe

//go:generate go tool bpf2go -target bpfel -no-global-types kprobe ../../bpf/kprobe.bpf.c
