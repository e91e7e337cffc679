package process

// PassEvery is the shortest time between two passes over all processes.
const PassEvery = passEvery

// Stall stops reading events until the function that it returns is called.
func Stall(a *Attributor) func() {
	a.watcher.mu.Lock()
	return a.watcher.mu.Unlock
}

// SetRing sets a tiny size of the ring buffer.
func SetRing(o *Options, bytes uint32) { o.ring = bytes }

// Untrack disables the programs that need Linux 6.3.
func Untrack(o *Options) { o.untracked = true }

// Tracked reports whether BPF reports every process that sends or receives (Linux 6.3).
func Tracked(a *Attributor) bool { return a.matcher.tracked }

// SeesReceivers reports whether BPF reports a process that gets another's descriptor, or that sends
// on it.
func SeesReceivers(a *Attributor) bool { return a.matcher.tracked || a.watcher.lookers }

// UsesBPF reports whether BPF, not /proc, finds the sockets.
func UsesBPF(a *Attributor) bool { return a.watcher != nil }
