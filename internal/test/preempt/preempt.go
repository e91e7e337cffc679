// Package preempt has BPF programs that count like bpf/cgroup.bpf.c, but stay long in the middle of
// an update. In tests, packets interrupt them there all the time.
package preempt

//go:generate go tool bpf2go -target bpfel -no-global-types Preempt bpf/preempt.bpf.c
