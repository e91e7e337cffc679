package process

import (
	"github.com/pktstat/pktstat/flow"
)

// matcher finds the owner of flows in what is known of an epoch.
type matcher struct {
	sockets *sockets
	// local tells whether an address is one of the namespace's own, so that what is
	// only forwarded is not taken for that of a socket which takes any address.
	local func(netns uint32, family flow.Family, addr [16]byte) bool
	// kernel tells whether a port is that of a socket which no process has.
	kernel func(t *tuple) bool
	// tracked: every process that sends or receives is told of.
	tracked bool
	// complete: no socket can have come and gone unseen in this epoch, nor in the last one.
	complete bool
}

// match returns the owner of a flow, nil if there is none, and how it was found. The
// cookie is 0 where the hook does not know the socket.
func (m *matcher) match(k *flow.Packed, cookie uint64, netns uint32) (*proc, flow.Match) {
	if k.EtherType != 0 || k.Family == flow.FamilyNone {
		return nil, etherMatch(k)
	}
	t, ok := socketEnd(k, netns)
	if !ok {
		return nil, flow.MatchNone // no direction: nobody can tell which end is local
	}
	p, match := m.matchEnd(&t, k, cookie)
	if match == flow.MatchNone && k.Dir == flow.Ingress && m.local(t.netns, t.family, t.remote) {
		// lo shows packets only as they arrive: nobody took it, but it was sent here.
		t.local, t.remote, t.lport, t.rport = t.remote, t.local, t.rport, t.lport
		return m.matchEnd(&t, k, 0)
	}
	return p, match
}

// matchEnd matches the local end of a flow.
func (m *matcher) matchEnd(t *tuple, k *flow.Packed, cookie uint64) (*proc, flow.Match) {
	if !hasPorts(t) {
		return m.matchProto(t, k, cookie)
	}
	if t.lport == 0 {
		return nil, flow.MatchNone // a later fragment
	}
	if list := m.sockets.byTuple[*t]; len(list) > 0 {
		// Of the one in the packets there may be nothing known, as of MPTCP's subflows.
		p, match := m.known(list, cookie, t)
		if p == nil {
			p, match = m.resolve(m.current(list))
		}
		if p != nil {
			return p, match
		}
	}
	if p, match := m.matchPort(t, cookie); p != nil {
		return p, match
	}
	if m.complete && m.kernel(t) && m.local(t.netns, t.family, t.local) {
		return nil, flow.MatchKernel
	}
	return nil, flow.MatchNone
}

// known returns the owner of the socket with the cookie, if that is in the list.
func (m *matcher) known(list []*sock, cookie uint64, t *tuple) (*proc, flow.Match) {
	for _, k := range list {
		if cookie != 0 && k.cookie == cookie && (k.connected() || k.takes(t) != 0) {
			return m.resolve([]*sock{k})
		}
	}
	return nil, flow.MatchNone
}

// socketEnd turns a flow around so that its local end is the socket's.
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

// current returns the sockets of a list that existed in the epoch; if none did, the
// one that was released last.
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

// alive reports whether a socket may have existed at some time in an epoch's window.
// What is taken note of at the end of an epoch may have happened after its window was
// closed, in that of the next one.
func (k *sock) alive(epoch uint64) bool { return k.released == 0 || k.released+1 >= epoch }

// matchPort looks for a socket that takes what comes to the port. Of those of a more
// precise address the others get nothing.
func (m *matcher) matchPort(t *tuple, cookie uint64) (*proc, flow.Match) {
	all := m.sockets.byPort[portOf(t)]
	if p, match := m.known(all, cookie, t); p != nil {
		if match == flow.MatchExact && t.proto == flow.TCP {
			match = flow.MatchPort // it listens: who has accepted the connection was not seen
		}
		return p, match
	}
	var best []*sock
	rank := 0
	for _, k := range all {
		r := k.takes(t)
		if r == 0 || t.proto == flow.TCP && k.state != tcpListen {
			continue
		}
		if !m.complete && k.held != m.sockets.epoch {
			continue // another one may have had the port since
		}
		if r > rank {
			best, rank = best[:0], r
		}
		if r == rank {
			best = append(best, k)
		}
	}
	if len(best) == 0 || rank < takesLocal && !m.local(t.netns, t.family, t.local) {
		return nil, flow.MatchNone
	}
	best = m.current(best)
	p, match := m.resolve(best)
	if match == flow.MatchExact && (t.proto == flow.TCP || len(best) > 1 || !m.complete || !best[0].alive(m.sockets.epoch)) {
		match = flow.MatchPort
	}
	return p, match
}

// How precisely a socket that is not connected takes a packet.
const (
	takesAnyFamily = 1 + iota // an IPv6 socket takes IPv4 too
	takesAnyAddr
	takesLocal
)

func (k *sock) takes(t *tuple) int {
	switch {
	case k.local == zero16 && k.family == t.family:
		return takesAnyAddr
	case k.local == zero16 && k.family == flow.FamilyIPv6:
		return takesAnyFamily
	case k.local == t.local && k.family == t.family:
		return takesLocal
	}
	return 0
}

// resolve tells whose the sockets are: nobody's (nil), one process' (exact) or that
// of several (shared), of which the best known is returned.
func (m *matcher) resolve(list []*sock) (*proc, flow.Match) {
	var best claim
	procs, users := 0, 0
	var first, firstUser *proc
	shared := false
	for _, k := range list {
		shared = shared || k.shared
		strong := k.strongest(m.sockets.epoch)
		for _, c := range k.claims {
			if !k.active(c, m.sockets.epoch) || c.by < byHolding && strong >= byHolding || c.by < strong && strong < byHolding {
				continue
			}
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
	case procs == 1:
		return best.proc, flow.MatchExact
	case users == 1 && m.tracked && !shared && len(list) == 1:
		return best.proc, flow.MatchExact // the others have inherited it, and do nothing with it
	}
	return best.proc, flow.MatchShared
}

// active: a process had the socket in this epoch, or when the socket was seen last.
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

// matchProto is for protocols without ports: raw sockets, and those of ping.
func (m *matcher) matchProto(t *tuple, k *flow.Packed, cookie uint64) (*proc, flow.Match) {
	all := m.sockets.byPort[portOf(t)]
	if p, match := m.known(all, cookie, t); p != nil {
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
		fit = append(fit, s)
		connected = connected && s.remote != zero16
	}
	if len(fit) == 0 || !m.local(t.netns, t.family, t.local) {
		return nil, flow.MatchNone
	}
	fit = m.current(fit)
	p, match := m.resolve(fit)
	if match == flow.MatchExact && !connected {
		match = flow.MatchPort
	}
	return p, match
}

// kernelICMP: messages that only the kernel sends and that it answers itself: all but
// requests that leave and replies that arrive (RFC 792, RFC 4443, RFC 4861).
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

// etherMatch: ARP is the kernel's, of other frames nobody can tell.
func etherMatch(k *flow.Packed) flow.Match {
	if k.EtherType == flow.EtherTypeARP {
		return flow.MatchKernel
	}
	return flow.MatchNone
}
