package process

import "os"

// Cgroup2Root opens the root of the cgroup v2 hierarchy.
func Cgroup2Root() (*os.File, error) { return openCgroup2(procfs) }

// Stall keeps events from being read until the function that it returns is called.
func Stall(a *Attributor) func() {
	a.watcher.mu.Lock()
	return a.watcher.mu.Unlock
}

// SetRing makes the ring buffer of an Attributor that is opened with o tiny.
func SetRing(o *Options, bytes uint32) { o.ring = bytes }

// Tracked reports whether every process that sends or receives is told of (Linux 6.3).
func Tracked(a *Attributor) bool { return a.matcher.tracked }

// UsesBPF reports whether BPF tells of sockets, not /proc.
func UsesBPF(a *Attributor) bool { return a.watcher != nil }
