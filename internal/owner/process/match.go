package process

import (
	"iter"

	"github.com/pktstat/pktstat/flow"
)

// matcher finds the owners of flows by what is known of an epoch.
type matcher struct {
	sockets *sockets
	// local reports whether the namespace has the address. Without the check, a socket bound to any
	// address would match forwarded packets.
	local func(netns uint32, family flow.Family, addr [16]byte) bool
	// kernel reports whether a port belongs to a socket that no process has.
	kernel func(t *tuple) bool
	// stacked reports whether packets of one interface can also pass the other one.
	stacked func(a, b uint32) bool
	// tracked: BPF reports every process that sends or receives.
	tracked bool
	// complete: pktstat has seen every socket of this epoch and the last one.
	complete bool
	// swept: pktstat has examined all processes since the window closed.
	swept bool

	all []ranked // reused for the next flow
	top []*sock
}

// end is the local end of a flow, with what distinguishes the sockets on it.
type end struct {
	tuple
	cookie uint64 // 0: the hook does not know the socket
	dev    uint32 // the interface that the packets passed; 0: any
	sends  bool   // the packets leave from this end
}

// loopback is the index of lo in every namespace (LOOPBACK_IFINDEX). Packets to the own host pass
// lo, also from sockets that are bound to another interface.
const loopback = 1

// match returns the owner of a flow, or nil, and how it was found. cookie is 0 if the hook does not
// know the socket.
func (m *matcher) match(k *flow.Packed, cookie uint64, netns uint32) (*proc, flow.Match) {
	if k.EtherType != 0 || k.Family == flow.FamilyNone {
		return nil, etherMatch(k)
	}
	t, ok := socketEnd(k, netns)
	if !ok {
		return nil, flow.MatchNone // without a direction, the local end is unknown
	}
	e := end{tuple: t, cookie: cookie, sends: k.Dir == flow.Egress}
	if k.Ifindex != loopback {
		e.dev = k.Ifindex
	}
	p, match := m.matchEnd(&e, k)
	if match == flow.MatchNone && !e.sends && m.local(t.netns, t.family, t.remote) {
		// On lo, the hook saw the packet only when it arrived. No local socket received it, so look
		// for the sender.
		t.local, t.remote, t.lport, t.rport = t.remote, t.local, t.rport, t.lport
		return m.matchEnd(&end{tuple: t, sends: true}, k)
	}
	return p, match
}

// matchEnd matches one end of a flow.
func (m *matcher) matchEnd(t *end, k *flow.Packed) (*proc, flow.Match) {
	if !hasPorts(&t.tuple) {
		return m.matchProto(t, k)
	}
	if t.lport == 0 {
		return nil, flow.MatchNone // a later fragment has no ports
	}
	of := m.matchDatagram
	if t.proto == flow.TCP {
		of = m.matchStream
	}
	if p, match := of(t, m.sockets.byTuple[t.tuple], m.sockets.byPort[portOf(&t.tuple)]); p != nil {
		return p, match
	}
	if m.complete && m.kernel(&t.tuple) && m.local(t.netns, t.family, t.tuple.local) {
		return nil, flow.MatchKernel
	}
	return nil, flow.MatchNone
}

// known returns the owner of the socket with the cookie, if the list has that socket.
func (m *matcher) known(list []*sock, t *end) (*proc, flow.Match) {
	for _, k := range list {
		if t.cookie != 0 && k.cookie == t.cookie && (k.connected() || k.takes(t) != 0) {
			return m.resolve([]*sock{k})
		}
	}
	return nil, flow.MatchNone
}

// reaches reports whether packets of the socket can pass the interface.
func (m *matcher) reaches(k *sock, dev uint32) bool {
	switch {
	case k.dev == 0 || dev == 0 || k.dev == dev:
		return true
	case k.bound+1 >= m.sockets.epoch && k.bound != 0:
		return true // it was bound to another interface, or to none, in this window
	}
	return m.stacked(k.dev, dev)
}

// socketEnd returns a flow's addresses from the local socket's point of view.
func socketEnd(k *flow.Packed, netns uint32) (tuple, bool) {
	if k.NetNS != 0 {
		netns = k.NetNS
	}
	t := tuple{netns: netns, proto: k.Proto, family: k.Family}
	var sport, dport uint16
	if k.L4Kind == flow.L4Ports {
		sport, dport = uint16(k.L4>>16), uint16(k.L4)
	}
	switch k.Dir {
	case flow.Egress:
		t.local, t.remote, t.lport, t.rport = k.Src, k.Dst, sport, dport
	case flow.Ingress:
		t.local, t.remote, t.lport, t.rport = k.Dst, k.Src, dport, sport
	default:
		return t, false
	}
	return t, true
}

// current returns the sockets of a list that existed in the epoch. If none did, it returns the one
// that was released last.
func (m *matcher) current(list []*sock) []*sock {
	alive := 0
	last := list[0]
	for _, k := range list {
		if k.alive(m.sockets.epoch) {
			alive++
		}
		if k.released > last.released {
			last = k
		}
	}
	if alive == len(list) {
		return list
	}
	if alive == 0 {
		return []*sock{last}
	}
	cur := make([]*sock, 0, alive)
	for _, k := range list {
		if k.alive(m.sockets.epoch) {
			cur = append(cur, k)
		}
	}
	return cur
}

// alive reports whether a socket may have existed in an epoch's window. Events are read after the
// window closes, so one may belong to the next window.
func (k *sock) alive(epoch uint64) bool { return k.released == 0 || k.released+1 >= epoch }

// resolve returns the owner of the sockets: nil, or one process with an exact match. If several
// processes may be the owner, it returns the best known one, with a shared match.
func (m *matcher) resolve(list []*sock) (*proc, flow.Match) {
	var best claim
	procs, users := 0, 0
	var first, firstUser *proc
	shared := false
	for _, k := range list {
		shared = shared || k.shared || k.got != 0 && k.got+1 >= m.sockets.epoch
		for c := range k.holders(m.sockets.epoch) {
			if c.by > best.by || c.by == best.by && c.epoch > best.epoch {
				best = c
			}
			if first == nil || c.proc != first {
				first = c.proc
				procs++
			}
			if c.by == byUse && (firstUser == nil || c.proc != firstUser) {
				firstUser = c.proc
				users++
			}
		}
	}
	switch {
	case best.proc == nil:
		return nil, flow.MatchNone
	case shared || !m.tracked && best.proc.split != 0 && best.proc.split+1 >= m.sockets.epoch:
	case procs == 1:
		return best.proc, flow.MatchExact
	case users == 1 && m.tracked && len(list) == 1:
		return best.proc, flow.MatchExact // the other processes inherited the socket and do not use it
	}
	return best.proc, flow.MatchShared
}

// holders iterates over the claims of the processes that had the socket in an epoch, or when the
// iterator last saw it. It omits weaker evidence if there is better.
func (k *sock) holders(epoch uint64) iter.Seq[claim] {
	strong := k.strongest(epoch)
	return func(yield func(claim) bool) {
		for _, c := range k.claims {
			if !k.active(c, epoch) || c.by < byHolding && strong >= byHolding || c.by < strong && strong < byHolding {
				continue
			}
			if !yield(c) {
				return
			}
		}
	}
}

// active reports whether the process had the socket in this epoch, or when the iterator last saw
// it.
func (k *sock) active(c claim, epoch uint64) bool {
	return c.epoch >= min(k.held, epoch-1)
}

func (k *sock) strongest(epoch uint64) evidence {
	var best evidence
	for _, c := range k.claims {
		if k.active(c, epoch) {
			best = max(best, c.by)
		}
	}
	return best
}

// matchProto matches protocols without ports: raw sockets and ping sockets.
func (m *matcher) matchProto(t *end, k *flow.Packed) (*proc, flow.Match) {
	all := m.sockets.byPort[portOf(&t.tuple)]
	if p, match := m.known(all, t); p != nil {
		return p, match
	}
	if kernelICMP(k) {
		return nil, flow.MatchKernel
	}
	var fit []*sock
	connected := true
	for _, s := range all {
		if s.local != zero16 && s.local != t.local || s.remote != zero16 && s.remote != t.remote || s.family != t.family {
			continue
		}
		if !m.may(s, t) || !s.alive(m.sockets.epoch) || !m.asked(s) {
			continue
		}
		fit = append(fit, s)
		connected = connected && s.remote != zero16
	}
	if len(fit) == 0 || !m.local(t.netns, t.family, t.local) {
		return nil, flow.MatchNone
	}
	p, match := m.resolve(fit)
	if match == flow.MatchExact && (!connected || !m.complete) {
		match = flow.MatchPort
	}
	return p, match
}

// asked reports whether a process may have sent through an ICMP socket in this epoch's window.
// Without a request, an arriving message is not a reply to this socket.
func (m *matcher) asked(k *sock) bool {
	icmp := k.proto == flow.ICMP || k.proto == flow.ICMPv6
	return !icmp || !m.tracked || !m.complete || k.sent != 0 && k.sent+1 >= m.sockets.epoch
}

// kernelICMP reports whether the kernel itself sends or handles the message. Only outgoing requests
// and incoming replies belong to a process (RFC 792, RFC 4443, RFC 4861).
func kernelICMP(k *flow.Packed) bool {
	const echoReply, echo, timestamp, timestampReply = 0, 8, 13, 14
	const echo6, echoReply6 = 128, 129
	typ := uint8(k.L4 >> 8)
	switch k.Proto {
	case flow.ICMP:
		if k.Dir == flow.Egress {
			return typ != echo && typ != timestamp
		}
		return typ != echoReply && typ != timestampReply
	case flow.ICMPv6:
		if k.Dir == flow.Egress {
			return typ != echo6
		}
		return typ != echoReply6
	}
	return false
}

// etherMatch: the kernel handles ARP. The owner of other frames is unknown.
func etherMatch(k *flow.Packed) flow.Match {
	if k.EtherType == flow.EtherTypeARP {
		return flow.MatchKernel
	}
	return flow.MatchNone
}
