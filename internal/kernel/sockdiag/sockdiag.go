// Package sockdiag asks the kernel for the state of TCP sockets, by NETLINK_SOCK_DIAG
// (sock_diag(7)). A request needs no capability. The kernel answers it before sendto(2) returns.
package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Ends are the two ends of a TCP socket, and the device that it is bound to. They are comparable
// and have no pointers. An IPv4 address is in its IPv6-mapped form (RFC 4291, 2.5.5.2), as in a
// socket of AF_INET6 that speaks IPv4.
type Ends struct {
	Local, Remote         [16]byte
	LocalPort, RemotePort uint16
	Device                uint32 // index (SO_BINDTODEVICE); 0: not bound
}

// EndsOf returns the ends of a socket with these addresses.
func EndsOf(local, remote netip.AddrPort, device uint32) Ends {
	return Ends{local.Addr().As16(), remote.Addr().As16(), local.Port(), remote.Port(), device}
}

// isIPv4 reports whether the socket sends IPv4 packets.
func (e *Ends) isIPv4() bool {
	return netip.AddrFrom16(e.Local).Is4In6() && netip.AddrFrom16(e.Remote).Is4In6()
}

// State is a state of a TCP socket (include/net/tcp_states.h).
type State uint8

// States of sockets that have a peer, or had one.
const (
	Established State = 1
	Closed      State = 7
	listening   State = 10
)

var states = [...]string{
	"", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "closed", "close_wait", "last_ack", "", "closing",
}

// String returns the name of the state, as in RFC 9293; "" for a state without peer.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return ""
}

// Info is what the kernel knows of a socket.
type Info struct {
	State    State
	Cwnd     uint32        // congestion window, in segments
	InFlight uint64        // bytes: what tcp_packets_in_flight() counts, by the size of segments
	SRTT     time.Duration // smoothed round-trip time; 0: not measured
	MinRTT   time.Duration // 0: not measured
}

// Layout of the messages (include/uapi/linux/inet_diag.h, tcp.h).
const (
	headerSize  = unix.SizeofNlMsghdr
	requestSize = 56 // struct inet_diag_req_v2
	idSize      = 48 // struct inet_diag_sockid
	messageSize = 72 // struct inet_diag_msg

	byFamily = 20 // SOCK_DIAG_BY_FAMILY
	attrInfo = 2  // INET_DIAG_INFO

	infoMSS, infoUnacked, infoSacked, infoLost, infoRetrans = 16, 24, 28, 32, 36
	infoRTT, infoCwnd, infoMinRTT                           = 68, 80, 148
)

// live are the states of sockets that have a struct tcp_info and a peer. TIME_WAIT has none.
const live = 1<<1 | 1<<2 | 1<<4 | 1<<5 | 1<<8 | 1<<9 | 1<<11

// appendRequest appends a request for one socket; for all sockets of a family in some states, if
// ends is nil.
func appendRequest(b []byte, seq uint32, family uint8, states uint32, ends *Ends) []byte {
	flags := uint16(unix.NLM_F_REQUEST)
	if ends == nil {
		flags |= unix.NLM_F_DUMP
	}
	b = binary.NativeEndian.AppendUint32(b, headerSize+requestSize)
	b = binary.NativeEndian.AppendUint16(b, byFamily)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0) // to the kernel
	b = append(b, family, unix.IPPROTO_TCP, 1<<(attrInfo-1), 0)
	b = binary.NativeEndian.AppendUint32(b, states)
	var id [idSize]byte
	if ends != nil {
		putEnds(&id, ends, family)
	}
	return append(b, id[:]...)
}

func putEnds(id *[idSize]byte, e *Ends, family uint8) {
	binary.BigEndian.PutUint16(id[0:], e.LocalPort)
	binary.BigEndian.PutUint16(id[2:], e.RemotePort)
	local, remote := e.Local[:], e.Remote[:]
	if family == unix.AF_INET {
		local, remote = local[12:], remote[12:]
	}
	copy(id[4:20], local)
	copy(id[20:36], remote)
	binary.NativeEndian.PutUint32(id[36:], e.Device)
	const noCookie = ^uint64(0) // INET_DIAG_NOCOOKIE
	binary.NativeEndian.PutUint64(id[40:], noCookie)
}

// errShort is about a message that is shorter than its type.
var errShort = errors.New("short message of sock_diag")

// parse reads a message about a socket. It reports false for a socket without peer or without
// struct tcp_info.
func parse(b []byte) (e Ends, info Info, ok bool, err error) {
	if len(b) < messageSize {
		return e, info, false, fmt.Errorf("%w: %d bytes", errShort, len(b))
	}
	family, state := b[0], State(b[1])
	id := b[4 : 4+idSize]
	e.LocalPort, e.RemotePort = binary.BigEndian.Uint16(id), binary.BigEndian.Uint16(id[2:])
	e.Device = binary.NativeEndian.Uint32(id[36:])
	switch family {
	case unix.AF_INET:
		e.Local = netip.AddrFrom4([4]byte(id[4:8])).As16()
		e.Remote = netip.AddrFrom4([4]byte(id[20:24])).As16()
	case unix.AF_INET6:
		e.Local, e.Remote = [16]byte(id[4:20]), [16]byte(id[20:36])
	default:
		return e, info, false, nil
	}
	if state == listening || e.RemotePort == 0 {
		return e, info, false, nil
	}
	raw := attribute(b[messageSize:], attrInfo)
	if len(raw) < infoCwnd+4 {
		return e, info, false, nil // a socket in TIME_WAIT or SYN_RECV, which has only part of a socket
	}
	return e, infoOf(state, raw), true, nil
}

// infoOf reads a struct tcp_info. Linux before 4.6 has no minimum in it.
func infoOf(state State, b []byte) Info {
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	i := Info{State: state, Cwnd: u32(infoCwnd), SRTT: time.Duration(u32(infoRTT)) * time.Microsecond}
	// tcp_packets_in_flight() of include/net/tcp.h.
	if n := int64(u32(infoUnacked)) - int64(u32(infoSacked)) - int64(u32(infoLost)) + int64(u32(infoRetrans)); n > 0 {
		i.InFlight = uint64(n) * uint64(u32(infoMSS))
	}
	if len(b) >= infoMinRTT+4 {
		if shortest := u32(infoMinRTT); shortest != ^uint32(0) { // its value before the first sample
			i.MinRTT = time.Duration(shortest) * time.Microsecond
		}
	}
	return i
}

// attribute returns the contents of an attribute; nil if there is none of this type.
func attribute(b []byte, kind uint16) []byte {
	const header = unix.SizeofNlAttr
	for len(b) >= header {
		size := int(binary.NativeEndian.Uint16(b))
		if size < header || size > len(b) {
			return nil
		}
		if binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == kind {
			return b[header:size]
		}
		b = b[min(align(size), len(b)):]
	}
	return nil
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

// message is one of the messages in a datagram.
type message struct {
	kind uint16
	seq  uint32
	body []byte
}

// next cuts the first message off a datagram.
func next(b []byte) (m message, rest []byte, err error) {
	if len(b) < headerSize {
		return m, nil, fmt.Errorf("%w: %d bytes", errShort, len(b))
	}
	size := int(binary.NativeEndian.Uint32(b))
	if size < headerSize || size > len(b) {
		return m, nil, fmt.Errorf("%w: %d of %d bytes", errShort, len(b), size)
	}
	m = message{binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint32(b[8:]), b[headerSize:size]}
	return m, b[min(align(size), len(b)):], nil
}

// errorOf returns the error in a message of type NLMSG_ERROR, or NLMSG_DONE; nil for 0.
func errorOf(m message) error {
	if len(m.body) < 4 {
		return nil // NLMSG_DONE of old kernels has no body
	}
	if n := int32(binary.NativeEndian.Uint32(m.body)); n < 0 {
		return unix.Errno(-n)
	}
	return nil
}
