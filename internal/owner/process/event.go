package process

import (
	"bytes"
	"unsafe"

	"github.com/pktstat/pktstat/flow"
)

// These types mirror bpf/process.h. TestLayout compares them with the object's BTF.

// evidence is how pktstat knows the process of a socket. A higher value is better evidence.
type evidence uint8

const (
	byNothing evidence = iota
	byRelease          // the process closed the socket
	byCreate           // the process called socket(2)
	byHolding          // the process has a descriptor of the socket
	byUse              // the process connected the socket, sent or received
)

// eventKind is what has happened.
type eventKind uint8

const (
	eventHeld     eventKind = iota // the iterator found the socket
	eventUsed                      // a process used the socket for the first time
	eventOpened                    // a TCP connection got its addresses
	eventReleased                  // the last descriptor was closed
	eventGot                       // a process got a descriptor that another process had
	eventExecuted                  // the process called execve(2); the event has no socket
	eventForked                    // the process forked with too many files to examine; the event has no socket
)

// event is struct sock_event.
type event struct {
	Cookie   uint64
	Owner    bpfOwner
	NetNS    uint32
	LPort    uint16
	RPort    uint16
	Proto    uint16
	Family   uint16
	LAddr    [16]byte
	RAddr    [16]byte
	Inode    uint64
	Dev      uint32
	Kind     eventKind
	Evidence evidence
	State    uint8
	Shared   uint8
	Foreign  uint8
	V6Only   uint8
	_        [6]uint8
}

// bpfOwner is struct owner.
type bpfOwner struct {
	Start  uint64
	Cgroup uint64
	TGID   uint32
	UID    uint32
	Comm   [16]byte
}

// user is struct user.
type user struct {
	Owner    bpfOwner
	Told     uint64
	Evidence uint32
	Shared   uint32
}

const eventSize = int(unsafe.Sizeof(event{}))

// decode reads an event that the kernel wrote, in the machine's byte order.
func (e *event) decode(b []byte) bool {
	if len(b) < eventSize {
		return false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(e)), eventSize), b)
	return true
}

func commString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// Constants of the kernel.
const (
	afINET        = 2
	afINET6       = 10
	protoMPTCP    = 262
	tcpStateClose = 7
	tcpListen     = 10
)

// tuple is the addresses of a socket. IPv4 over an AF_INET6 socket is IPv4.
type tuple struct {
	local, remote [16]byte // IPv4 in the first four bytes, the rest zero
	netns         uint32
	lport, rport  uint16
	proto         flow.Proto
	family        flow.Family
}

var (
	zero16    [16]byte
	mappedPre = [12]byte{10: 0xff, 11: 0xff}
)

// tuple returns the addresses of an event's socket. On the wire, MPTCP is TCP.
func (e *event) tuple() tuple {
	t := tuple{local: e.LAddr, remote: e.RAddr, netns: e.NetNS, lport: e.LPort, rport: e.RPort, proto: flow.Proto(e.Proto), family: flow.FamilyIPv6}
	if e.Proto == protoMPTCP {
		t.proto = flow.TCP
	}
	if e.Family == afINET {
		t.family = flow.FamilyIPv4
		return t
	}
	mapped := func(a *[16]byte) bool { return [12]byte(a[:12]) == mappedPre }
	if mapped(&t.local) || mapped(&t.remote) {
		t.family = flow.FamilyIPv4
		for _, a := range []*[16]byte{&t.local, &t.remote} {
			if mapped(a) {
				*a = [16]byte{a[12], a[13], a[14], a[15]}
			}
		}
	}
	return t
}

func (t *tuple) connected() bool {
	return t.rport != 0 || t.remote != zero16
}
