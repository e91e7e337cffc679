package process

import (
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// How well a socket fits a packet. As in the kernel (compute_score in net/ipv4/udp.c), the highest
// score gets the packet.
const (
	takesAnyFamily = 1 << iota // an IPv6 socket takes IPv4 too
	takesFamily
	takesDev
	takesLocal
	takesConnected
)

// takes scores how well an unconnected socket fits the local end; 0: not at all.
func (k *sock) takes(t *end) int {
	rank := takesFamily
	switch {
	case k.local == zero16 && k.family == t.family:
	case k.local == zero16 && k.family == flow.FamilyIPv6 && !k.v6only:
		rank = takesAnyFamily
	case k.local == t.local && k.family == t.family:
		rank |= takesLocal
	default:
		return 0
	}
	if t.dev != 0 && k.dev != 0 {
		rank |= takesDev
	}
	return rank
}

// may reports whether a socket with matching addresses can have sent or received the packets.
func (m *matcher) may(k *sock, t *end) bool {
	if t.cookie != 0 && k.cookie != 0 && k.cookie != t.cookie || !m.reaches(k, t.dev) {
		return false
	}
	return m.complete || m.seen(k) // another socket may have had the port since
}

// seen reports whether the last pass found the socket in a process.
func (m *matcher) seen(k *sock) bool { return k.held == m.sockets.passed }

// matchStream matches an end of a TCP connection.
func (m *matcher) matchStream(t *end, connected, bound []*sock) (*proc, flow.Match) {
	if len(connected) > 0 {
		// The packets' own socket may be unknown, such as an MPTCP subflow.
		p, match := m.known(connected, t)
		if p == nil {
			m.top = m.top[:0]
			for _, k := range connected {
				if m.reaches(k, t.dev) {
					m.top = append(m.top, k)
				}
			}
			if len(m.top) > 0 {
				p, match = m.resolve(m.current(m.top))
			}
		}
		if match == flow.MatchExact && !m.complete && !slices.ContainsFunc(connected, m.seen) {
			match = flow.MatchPort // another process may have reused the port since
		}
		if p != nil {
			return p, match
		}
	}
	// Only the listener remains: no event shows who accepted the connection.
	p, match := m.known(bound, t)
	if p == nil {
		best, rank := m.top[:0], 0
		for _, k := range bound {
			r := k.takes(t)
			if r == 0 || k.state != tcpListen || !m.reaches(k, t.dev) || !m.complete && !m.seen(k) {
				continue
			}
			if r > rank {
				best, rank = best[:0], r
			}
			if r == rank {
				best = append(best, k)
			}
		}
		if len(best) == 0 || rank&takesLocal == 0 && !m.local(t.netns, t.family, t.tuple.local) {
			return nil, flow.MatchNone
		}
		m.top = best
		p, match = m.resolve(m.current(best))
	}
	if match == flow.MatchExact {
		match = flow.MatchPort
	}
	return p, match
}

// matchDatagram matches an end of UDP and similar protocols. Another process can bind a port as
// soon as its socket is closed. A process can send through any socket on the port. So every socket
// counts that had the port and is still remembered.
func (m *matcher) matchDatagram(t *end, connected, bound []*sock) (*proc, flow.Match) {
	for _, list := range [][]*sock{connected, bound} {
		if p, match := m.known(list, t); p != nil {
			return p, match
		}
	}
	all := m.all[:0]
	for _, k := range connected {
		if m.may(k, t) {
			all = append(all, ranked{k, takesConnected})
		}
	}
	for _, k := range bound {
		if r := k.takes(t); r != 0 && m.may(k, t) {
			all = append(all, ranked{k, r})
		}
	}
	m.all = all
	top, rank := m.highest(all)
	if len(top) == 0 || rank&(takesConnected|takesLocal) == 0 && !m.local(t.netns, t.family, t.tuple.local) {
		return nil, flow.MatchNone
	}
	p, match := m.resolve(top)
	if match != flow.MatchExact {
		return p, match
	}
	switch {
	case m.others(all, p) && (t.sends || !m.steady(top)):
		return p, flow.MatchShared
	case !m.complete || !m.swept, rank < takesConnected && (len(top) > 1 || !top[0].alive(m.sockets.epoch)):
		return p, flow.MatchPort
	}
	return p, match
}

// ranked is a socket that may have received a packet.
type ranked struct {
	*sock
	rank int
}

// highest returns the sockets of the highest score among the existing ones. If none exists, it
// returns the sockets that were released last.
func (m *matcher) highest(all []ranked) (top []*sock, rank int) {
	top = m.top[:0]
	exists := slices.ContainsFunc(all, func(k ranked) bool { return k.alive(m.sockets.epoch) })
	var best uint64
	for _, k := range all {
		by := uint64(k.rank)
		switch {
		case !exists:
			by = k.released
		case !k.alive(m.sockets.epoch):
			continue
		}
		if by > best {
			top, best = top[:0], by
		}
		if by == best {
			top, rank = append(top, k.sock), k.rank
		}
	}
	m.top = top
	return top, rank
}

// others reports whether any of the sockets may belong to another process than p.
func (m *matcher) others(list []ranked, p *proc) bool {
	return slices.ContainsFunc(list, func(k ranked) bool {
		n := 0
		for c := range k.holders(m.sockets.epoch) {
			if c.proc != p {
				return true
			}
			n++
		}
		return n == 0
	})
}

// steady reports whether the sockets existed during the whole window. Then no other socket on the
// port received a packet.
func (m *matcher) steady(list []*sock) bool {
	for _, k := range list {
		if k.released != 0 || k.bound+1 >= m.sockets.epoch && k.bound != 0 || k.born != 0 && k.born+1 >= m.sockets.epoch {
			return false
		}
	}
	return true
}
