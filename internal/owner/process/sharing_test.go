package process_test

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestReusePort: two processes share a port (SO_REUSEPORT). A TCP connection belongs to the process
// that accepted it. Only a hook that knows the socket can attribute a datagram.
func TestReusePort(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		servers := map[uint32]string{}
		for _, name := range []string{"one", "two"} {
			u := start(t, b.Host, role{Name: "udpwho." + name, Local: at(b.IPv4, udpPort)})
			c := start(t, b.Host, role{Name: "tcpserver." + name, Local: at(b.IPv4, tcpPort)})
			servers[u.pid()], servers[c.pid()] = u.role.Name, c.role.Name
		}
		server := observe(t, backend, b)
		answered := map[uint16]uint32{} // PID by the port that asked
		for range 6 {
			c := start(t, a.Host, role{Name: "tcpmany", Remote: at(b.IPv4, tcpPort), N: 1, Size: 10})
			c.end()
			d := newDatagrams(t, a, at(b.IPv4, udpPort))
			answered[d.local.Port()] = d.whoAnswers()
		}
		server.collect()
		if len(server.records) == 0 {
			t.Fatal("no traffic was seen")
		}
		for _, r := range server.records {
			o := server.owners.Get(r.Key.OwnerID)
			want, comm := flow.MatchExact, "tcpserver"
			if r.Key.Proto == flow.UDP {
				want, comm = server.ifUnknown(flow.MatchShared)(r.Key.Dir), "udpwho"
				k := r.Key.Key()
				if pid := answered[max(k.Src.Port(), k.Dst.Port())]; want == flow.MatchExact && o.PID != pid {
					t.Errorf("%v: match exact for %d, but %d answered", k, o.PID, pid)
				}
			}
			if r.Match != want || servers[o.PID] != o.Comm || !strings.HasPrefix(o.Comm, comm) {
				t.Errorf("%v: %+v %v, want one of %v, %v", r.Key.Key(), o, r.Match, servers, want)
			}
		}
	})
}

// TestTwoNamespaces: two namespaces use the same addresses and ports at once, inside a host and
// between two hosts.
func TestTwoNamespaces(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		if backend != "xdp" { // xdp does not see packets from a host to itself
			t.Run("lo", func(t *testing.T) { twoOnLo(t, backend) })
		}
		t.Run("veth", func(t *testing.T) { twoLinks(t, backend) })
	})
}

func twoOnLo(t *testing.T, backend string) {
	h := testnet.NewHost(t)
	other := testnet.NewHost(t)
	lo := netip.MustParseAddr("127.0.0.1")
	clients := map[*testnet.Host]*helper{}
	servers := map[*testnet.Host]*helper{}
	for i, host := range []*testnet.Host{h, other} {
		name := strconv.Itoa(i)
		servers[host] = start(t, host, role{Name: "tcpserver." + name, Local: at(lo, tcpPort)})
		clients[host] = start(t, host, role{Name: "tcplong." + name, Local: at(lo, 46000), Remote: at(lo, tcpPort), Size: 50})
	}
	for _, host := range []*testnet.Host{h, other} {
		w := observe(t, backend, &testnet.Iface{Host: host, Name: "lo", Index: 1})
		w.egress = false // on lo, backends count packets only when they arrive
		clients[h].order()
		clients[other].order()
		w.collect()
		w.expect(conversation{flow.TCP, at(lo, tcpPort), at(lo, 46000)}, servers[host].pid(), servers[host].role.Name, flow.MatchExact)
		w.expect(conversation{flow.TCP, at(lo, 46000), at(lo, tcpPort)}, clients[host].pid(), clients[host].role.Name, flow.MatchExact)
	}
}

func twoLinks(t *testing.T, backend string) {
	local, remote := netip.MustParseAddrPort("10.78.0.1:46000"), netip.MustParseAddrPort("10.78.0.2:8001")
	type side struct {
		on *testnet.Iface
		p  *helper
		c  conversation
	}
	var clients, servers []side
	for i := range 2 {
		a, b := testnet.Pair(t, testnet.Link{Chatty: true})
		address(t, a.Host, a.Name, local.Addr())
		address(t, b.Host, b.Name, remote.Addr())
		name := strconv.Itoa(i)
		servers = append(servers, side{b, start(t, b.Host, role{Name: "tcpserver." + name, Local: remote}), conversation{flow.TCP, remote, local}})
		clients = append(clients, side{a, start(t, a.Host, role{Name: "tcplong." + name, Local: local, Remote: remote, Size: 50}), conversation{flow.TCP, local, remote}})
	}
	for _, s := range []side{clients[0], servers[1]} { // the other pair has the same addresses
		w := observe(t, backend, s.on)
		for _, c := range clients {
			c.p.order()
		}
		w.collect()
		w.expect(s.c, s.p.pid(), s.p.role.Name, flow.MatchExact)
	}
}

// TestForwarded: forwarded packets have no owner on the router. A process of
// the router has a socket for any address on the same port. The sender is on the same machine.
func TestForwarded(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b, router := testnet.NewHost(t), testnet.NewHost(t), testnet.NewHost(t)
		ia, ra := testnet.Connect(t, a, router, testnet.Link{})
		rb, ib := testnet.Connect(t, router, b, testnet.Link{})
		testnet.Forward(t, router)
		testnet.Route(t, ia, ib.IPv4, ra.IPv4)
		testnet.Route(t, ib, ia.IPv4, rb.IPv4)
		srv := start(t, b, role{Name: "udpserver.far", Local: at(ib.IPv4, udpPort)})
		start(t, router, role{Name: "udpserver.router", Local: at(netip.IPv4Unspecified(), udpPort)})
		onRouter, onFar := observe(t, backend, rb), observe(t, backend, ib)
		q := start(t, a, role{Name: "udpmany.client", Remote: at(ib.IPv4, udpPort), N: 3, Size: 20})
		q.end()
		onRouter.collect()
		onFar.collect()
		seen := 0
		if onRouter.sockets {
			seen = 3 // no socket takes forwarded packets
		}
		for _, r := range onRouter.records {
			if onRouter.sockets {
				t.Errorf("at a socket: %v", r.Key.Key())
			}
			seen++
			if r.Match != flow.MatchNone || r.Key.OwnerID != 0 {
				t.Errorf("forwarded %v: %+v %v", r.Key.Key(), onRouter.owners.Get(r.Key.OwnerID), r.Match)
			}
		}
		if seen < 3 {
			t.Errorf("%d records on the router", seen)
		}
		for _, r := range onFar.records {
			if o := onFar.owners.Get(r.Key.OwnerID); o.PID != srv.pid() || r.Match != flow.MatchExact {
				t.Errorf("%v: %+v %v", r.Key.Key(), o, r.Match)
			}
		}
	})
}

// TestClosedByAnother: a process has inherited a connection, does not use it, and closes it last.
func TestClosedByAnother(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		start(t, b.Host, role{Name: "tcpserver.main", Local: at(b.IPv4, tcpPort)})
		w := observe(t, backend, a)
		p := launch(t, a.Host, role{Name: "parent.user", Remote: at(b.IPv4, tcpPort), Size: 100})
		answer := p.answer()
		c := conversation{flow.TCP, at(a.IPv4, number(t, answer)), at(b.IPv4, tcpPort)}
		want := flow.MatchShared // no event shows which of the two sends
		if process.Tracked(w.att) {
			want = flow.MatchExact
		}
		for range 2 {
			p.order()
			w.collect()
		}
		w.expect(c, p.pid(), "parent.user", want)
		p.end()
		w.collect()
		for _, r := range w.of(c) {
			if o := w.owners.Get(r.Key.OwnerID); o.PID != p.pid() {
				t.Errorf("%v: %+v %v after the heir has closed it, want %d", r.Key.Key(), o, r.Match, p.pid())
			}
		}
	})
}

// TestIOURing: the process owns what its io_uring workers send.
func TestIOURing(t *testing.T) {
	testenv.Privileged(t)
	testenv.Feature(t, "io_uring", "5.6", func() error { _, err := newUring(); return err })
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		start(t, b.Host, role{Name: "tcpserver.main", Local: at(b.IPv4, tcpPort)})
		w := observe(t, backend, a)
		p := launch(t, a.Host, role{Name: "iouring.client", Remote: at(b.IPv4, tcpPort)})
		port := number(t, p.answer())
		p.end()
		w.collect()
		w.expect(conversation{flow.TCP, at(a.IPv4, port), at(b.IPv4, tcpPort)}, p.pid(), "iouring.client", flow.MatchExact)
	})
}

// TestPing: an echo request belongs to the process with the only ping socket. The other host's
// kernel sends the reply.
func TestPing(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		for _, kind := range []string{"ping", "rawping"} {
			t.Run(kind, func(t *testing.T) {
				a, b := testnet.Pair(t, testnet.Link{})
				testnet.Sysctl(t, a.Host, "net/ipv4/ping_group_range", "0 2147483647")
				client, server := observe(t, backend, a), observe(t, backend, b)
				pings(t, kind, client, server, conversation{flow.ICMP, at(a.IPv4, 0), at(b.IPv4, 0)})
				pings(t, kind, client, server, conversation{flow.ICMPv6, at(a.IPv6, 0), at(b.IPv6, 0)})
			})
		}
	})
}

// pings lets one process ping, and then two at once.
func pings(t *testing.T, kind string, client, server *watch, c conversation) {
	t.Helper()
	client.records, server.records = nil, nil
	p := start(t, client.on.Host, role{Name: kind + ".one", Remote: c.remote, N: 2})
	client.collect()
	server.collect()
	client.expectEach(c, p.pid(), kind+".one", client.ifUnknown(flow.MatchPort))
	server.expect(conversation{c.proto, c.remote, c.local}, 0, "", flow.MatchKernel)

	client.records = nil
	q := start(t, client.on.Host, role{Name: kind + ".two", Remote: c.remote, N: 2})
	client.collect()
	for _, r := range client.of(c) {
		o := client.owners.Get(r.Key.OwnerID)
		want := client.ifUnknown(flow.MatchShared)(r.Key.Dir)
		// Each raw socket gets a copy of every reply.
		asked := want == flow.MatchExact && (kind == "ping" || r.Key.Dir == flow.Egress)
		if r.Match != want || asked && o.PID != q.pid() || !slices.Contains([]uint32{p.pid(), q.pid()}, o.PID) {
			t.Errorf("%v, two at once: %+v %v", c.proto, o, r.Match)
		}
	}
	p.end()
	q.end()
}
