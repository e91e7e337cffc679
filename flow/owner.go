package flow

// Owner is the process of a flow, and its user, cgroup, container and labels. It has only the
// fields that rows are grouped by, and the fields that these determine. A PID determines the
// name, and a cgroup the container, but not the reverse. The zero value means that no owner is
// known; [Match] gives the reason.
type Owner struct {
	PID      uint32 // thread-group id in the initial PID namespace
	Start    uint64 // start time in nanoseconds since boot; distinguishes processes that had the same PID
	Comm     string // name of the thread-group leader, read when pktstat last saw its sockets
	UID      uint32 // real user id in the initial user namespace; valid if PID is set
	CgroupID uint64 // cgroup v2 id: the inode number of its directory

	Cgroup    string // path below the root of the cgroup v2 hierarchy: "/system.slice/sshd.service"
	Container string // runtime and name, or the start of the id: "docker:web", "systemd:sshd.service"
	Labels    Labels // texts of other labels
}

// Match is the certainty of a flow's owner. A larger value is less certain.
type Match uint8

// Classes of matches.
const (
	// MatchUnset: owners were not looked up.
	MatchUnset Match = iota
	// MatchExact: one process had the socket of these addresses and ports, or the only socket on
	// the port. No other process's socket can have sent or received the packets.
	MatchExact
	// MatchPort: one process had a socket on this port or protocol. pktstat did not see the
	// connection itself, or not every socket of that time.
	MatchPort
	// MatchShared: several processes had the socket, or sockets on the same port, at the same
	// time or in sequence. The owner is the most likely process.
	MatchShared
	// MatchKernel: traffic of the kernel itself, without a process.
	MatchKernel
	// MatchNone: no process of this host is known. The packets were forwarded or translated, or
	// pktstat did not see the socket.
	MatchNone
)

// String returns the value of the field "match", "" for MatchUnset.
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
