package cgroup

//go:generate go tool bpf2go -target bpfel -no-global-types cgroup ../../bpf/cgroup.bpf.c
