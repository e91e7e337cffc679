package flow

// Owner is whose traffic a flow is: a process, and what it runs in. When rows are
// not grouped by all of it, an Owner has what is grouped by and what follows from
// that: the process id tells the name, the cgroup the container, not the other way
// round. The zero value is "nobody that is known"; [Match] tells more.
type Owner struct {
	PID      uint32 // thread-group id in the initial PID namespace
	Start    uint64 // nanoseconds from boot to its start: tells it from another process that had the PID before
	Comm     string // name of the thread-group leader when its sockets were last seen
	UID      uint32 // real user id in the initial user namespace; has a meaning if PID is set
	CgroupID uint64 // cgroup v2 id (the inode number of its directory)

	Cgroup    string // path below the root of the cgroup v2 hierarchy: "/system.slice/sshd.service"
	Container string // runtime and name, or the start of the id: "docker:web", "systemd:sshd.service"
	Labels    Labels // what other labels know
}

// Match tells how sure the owner of a flow is. The larger, the less is known.
type Match uint8

// Classes of matches.
const (
	// MatchUnset: owners were not looked for.
	MatchUnset Match = iota
	// MatchExact: one process had the socket of these addresses and ports, or the
	// only socket on that port. No other process had a socket that can have sent or received this.
	MatchExact
	// MatchPort: one process had the socket that takes what comes to this port or
	// protocol, but the connection itself, or another socket of that time, was not seen.
	MatchPort
	// MatchShared: several processes had the socket, or sockets on the same port, at
	// once or one after the other. The owner is the one that most probably used it.
	MatchShared
	// MatchKernel: the kernel's own traffic, which no process sent or got.
	MatchKernel
	// MatchNone: no process of this host is known for it: forwarded, translated, or unseen.
	MatchNone
)

// String returns the value of the field "match", "" if it is unset.
func (m Match) String() string {
	switch m {
	case MatchExact:
		return "exact"
	case MatchPort:
		return "port"
	case MatchShared:
		return "shared"
	case MatchKernel:
		return "kernel"
	case MatchNone:
		return "none"
	}
	return ""
}
