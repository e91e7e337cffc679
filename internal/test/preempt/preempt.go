// Package preempt has programs for tests: they count as those of bpf/cgroup.bpf.c do, but
// are so slow in the middle of an update that they are interrupted there all the time.
package preempt

//go:generate go tool bpf2go -target bpfel -no-global-types Preempt bpf/preempt.bpf.c
