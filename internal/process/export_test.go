package process

// SetRing makes the ring buffer of an Attributor that is opened with o tiny.
func SetRing(o *Options, bytes uint32) { o.ring = bytes }

// Tracked reports whether every process that sends or receives is told of (Linux 6.3).
func Tracked(a *Attributor) bool { return a.matcher.tracked }

// UsesBPF reports whether BPF tells of sockets, not /proc.
func UsesBPF(a *Attributor) bool { return a.watcher != nil }
