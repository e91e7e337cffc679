package process

// PassEvery is the shortest time between two passes over all processes.
const PassEvery = passEvery

// Stall keeps events from being read until the function that it returns is called.
func Stall(a *Attributor) func() {
	a.watcher.mu.Lock()
	return a.watcher.mu.Unlock
}

// SetRing makes the ring buffer of an Attributor that is opened with o tiny.
func SetRing(o *Options, bytes uint32) { o.ring = bytes }

// Untrack makes an Attributor that is opened with o know no more than one before Linux 6.3.
func Untrack(o *Options) { o.untracked = true }

// Tracked reports whether every process that sends or receives is told of (Linux 6.3).
func Tracked(a *Attributor) bool { return a.matcher.tracked }

// SeesReceivers reports whether a process that receives a descriptor is told of, or who
// sends on it.
func SeesReceivers(a *Attributor) bool { return a.matcher.tracked || a.watcher.lookers }

// UsesBPF reports whether BPF tells of sockets, not /proc.
func UsesBPF(a *Attributor) bool { return a.watcher != nil }
