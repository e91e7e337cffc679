package process_test

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	_ "github.com/pktstat/pktstat/backends/all"
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// onEvery runs a test with every backend that counts live traffic.
func onEvery(t *testing.T, f func(t *testing.T, backend string)) {
	t.Helper()
	testenv.Privileged(t)
	for name := range liveBackends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, name)
		})
	}
}

// onSending runs a test with every backend that sees outgoing packets.
func onSending(t *testing.T, f func(t *testing.T, backend string)) {
	t.Helper()
	testenv.Privileged(t)
	for name := range liveBackends() {
		if b, _ := registry.Backends.Lookup(name); b.Caps.Has(registry.CapEgress) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t, name)
			})
		}
	}
}

// liveBackends are the backends that count live traffic.
func liveBackends() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name, b := range registry.Backends.All() {
			if b.Caps.Has(registry.CapLive|registry.CapIngress) && !yield(name) {
				return
			}
		}
	}
}

// watch is a backend on one interface with attribution, as in the engine.
type watch struct {
	t       *testing.T
	on      *testnet.Iface
	src     *livetest.Source
	att     *process.Attributor
	owners  *ids.Table
	egress  bool // the backend sees it
	sockets bool // the backend sees only what sockets send and receive
	wide    bool // the backend sees every network namespace
	netns   uint32
	records []flow.Record
	last    time.Time // last call of collect
}

// observe opens a backend on an interface.
func observe(t *testing.T, backend string, on *testnet.Iface, change ...func(*process.Options)) *watch {
	t.Helper()
	return observeAll(t, backend, []*testnet.Iface{on}, change...)
}

// observeAll opens a backend on several interfaces of a host.
func observeAll(t *testing.T, backend string, all []*testnet.Iface, change ...func(*process.Options)) *watch {
	t.Helper()
	on := all[0]
	b, err := registry.Backends.Lookup(backend)
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{t: t, on: on, owners: ids.New(flow.DimsFlow, 1<<20), egress: b.Caps.Has(registry.CapEgress),
		sockets: b.Caps.Has(registry.CapCgroup), wide: !b.Caps.Has(registry.CapInterfaces), netns: netnsOf(t, on.Host)}
	w.att = attributor(t, on.Host, w.owners, change...)
	w.src = livetest.Open(t, backend, nil, all...)
	return w
}

func attributor(t *testing.T, h *testnet.Host, owners *ids.Table, change ...func(*process.Options)) *process.Attributor {
	t.Helper()
	o := process.Options{Owners: owners, Now: time.Now, Debugf: func(f string, a ...any) { t.Logf(f, a...) }}
	for _, c := range change {
		c(&o)
	}
	var a *process.Attributor
	if err := h.Do(func() (err error) {
		a, err = process.Open(context.Background(), o)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if !o.Proc && !process.UsesBPF(a) {
		t.Fatalf("no BPF: %q", a.Notes())
	}
	return a
}

func netnsOf(t *testing.T, h *testnet.Host) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := h.Do(func() error { return unix.Stat("/proc/thread-self/ns/net", &st) }); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// collect ends an epoch.
func (w *watch) collect() {
	w.t.Helper()
	time.Sleep(time.Until(w.last.Add(process.PassEvery))) // let enough time pass for another pass over all sockets
	defer func() { w.last = time.Now() }()
	synced := false
	w.src.Collect(func(recs []flow.Record) {
		if !synced {
			w.att.Sync(context.Background())
			synced = true
		}
		w.att.Attribute(recs)
		for _, r := range recs {
			if r.Key.NetNS == w.netns || !w.wide { // tests in other namespaces use the same addresses
				w.records = append(w.records, r)
			}
		}
	})
	if !synced {
		w.att.Sync(context.Background())
	}
}

// conversation is the two ends, as the watched host sees them. A zero remote means any.
type conversation struct {
	proto         flow.Proto
	local, remote netip.AddrPort
}

// of returns the records of a conversation.
func (w *watch) of(c conversation) []flow.Record {
	var recs []flow.Record
	for _, r := range w.records {
		k := r.Key.Key()
		local, remote := k.Src, k.Dst
		if k.Dir == flow.Ingress {
			local, remote = k.Dst, k.Src
		}
		if k.Proto == c.proto && local == c.local && (!c.remote.IsValid() || remote == c.remote) {
			recs = append(recs, r)
		}
	}
	return recs
}

// expect fails unless the conversation has traffic in both directions that the backend sees, and
// all of it has this owner and match.
func (w *watch) expect(c conversation, pid uint32, comm string, match flow.Match) {
	w.t.Helper()
	w.expectEach(c, pid, comm, func(flow.Direction) flow.Match { return match })
}

// ifUnknown returns the expected match: exact if the hook knows the packet's socket, else the given
// one.
func (w *watch) ifUnknown(match flow.Match) func(flow.Direction) flow.Match {
	return func(dir flow.Direction) flow.Match {
		if w.sockets || w.wide && dir == flow.Egress {
			return flow.MatchExact
		}
		return match
	}
}

func (w *watch) expectEach(c conversation, pid uint32, comm string, of func(flow.Direction) flow.Match) {
	w.t.Helper()
	seen := map[flow.Direction]bool{}
	for _, r := range w.of(c) {
		seen[r.Key.Dir] = true
		match := of(r.Key.Dir)
		if got := w.owners.Get(r.Key.OwnerID); got.PID != pid || got.Comm != comm || r.Match != match {
			k := r.Key.Key()
			w.t.Errorf("%v %v %v > %v: owner %d %q %v, want %d %q %v", k.Dir, k.Proto, k.Src, k.Dst, got.PID, got.Comm, r.Match, pid, comm, match)
		}
	}
	if pid == 0 && w.sockets {
		return // this hook sees only packets that a socket takes
	}
	if !seen[flow.Ingress] || w.egress && !seen[flow.Egress] {
		w.t.Errorf("%+v: traffic was seen in %v only, in %d records", c, seen, len(w.records))
	}
}

// number returns the first number in a helper's answer.
func number(t *testing.T, answer string) uint16 {
	t.Helper()
	first, _, _ := strings.Cut(answer, " ")
	n, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		t.Fatalf("answer %q: %v", answer, err)
	}
	return uint16(n)
}

func at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// ports of the servers. They differ, so that tests do not disturb each other.
const (
	udpPort = 5301
	tcpPort = 8001
)

// TestClients: connections open after pktstat starts, and close before the epoch ends. Both hosts
// are watched, the client's and the server's.
func TestClients(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{Offloads: true})
		any6 := netip.IPv6Unspecified()
		udp := start(t, b.Host, role{Name: "udpserver.main", Local: at(any6, udpPort)})
		tcp := start(t, b.Host, role{Name: "tcpserver.main", Local: at(any6, tcpPort)})
		mptcp := start(t, b.Host, role{Name: "tcpserver.mp", Local: at(any6, tcpPort+1), MPTCP: true})
		reset := start(t, b.Host, role{Name: "tcpreset.main", Local: at(any6, tcpPort+2)})
		client, server := observe(t, backend, a), observe(t, backend, b)

		type done struct {
			c    conversation
			p    *helper
			srv  *helper // nil: another test checks the server's side
			want flow.Match
		}
		var all []done
		run := func(r role, proto flow.Proto, srv *helper, match flow.Match) {
			t.Helper()
			p := launch(t, a.Host, r)
			port := number(t, p.answer())
			p.end()
			local := a.IPv4
			if r.Remote.Addr().Is6() && !r.Remote.Addr().Is4In6() {
				local = a.IPv6
			}
			remote := netip.AddrPortFrom(r.Remote.Addr().Unmap(), r.Remote.Port())
			all = append(all, done{conversation{proto, at(local, port), remote}, p, srv, match})
		}
		mapped := netip.AddrFrom16(b.IPv4.As16())
		run(role{Name: "udpquery.four", Remote: at(b.IPv4, udpPort), Size: 30}, flow.UDP, udp, flow.MatchExact)
		run(role{Name: "udpquery.six", Remote: at(b.IPv6, udpPort), Size: 30}, flow.UDP, udp, flow.MatchExact)
		run(role{Name: "udp6to4.send", Remote: at(mapped, udpPort)}, flow.UDP, udp, flow.MatchExact)
		run(role{Name: "udp6to4.connect", Remote: at(mapped, udpPort), N: 1}, flow.UDP, udp, flow.MatchExact)
		run(role{Name: "tcpquery.four", Remote: at(b.IPv4, tcpPort), Size: 3000}, flow.TCP, tcp, flow.MatchExact)
		run(role{Name: "tcpquery.six", Remote: at(b.IPv6, tcpPort), Size: 3000}, flow.TCP, tcp, flow.MatchExact)
		run(role{Name: "tcpquery.reset", Remote: at(b.IPv4, tcpPort+2), Size: 10, N: 1}, flow.TCP, reset, flow.MatchExact)
		run(role{Name: "tcpquery.mp", Remote: at(b.IPv4, tcpPort+1), Size: 3000, MPTCP: true}, flow.TCP, mptcp, flow.MatchExact)
		run(role{Name: "sendfile.main", Remote: at(b.IPv4, tcpPort), Size: 200_000}, flow.TCP, tcp, flow.MatchExact)
		run(role{Name: "zerocopy.main", Remote: at(b.IPv4, tcpPort), Size: 100_000}, flow.TCP, tcp, flow.MatchExact)
		refusedAt := uint16(45001)
		refused := start(t, a.Host, role{Name: "tcprefused.main", Local: at(a.IPv4, refusedAt), Remote: at(b.IPv4, 9)})
		refused.end()
		all = append(all, done{conversation{flow.TCP, at(a.IPv4, refusedAt), at(b.IPv4, 9)}, refused, nil, flow.MatchExact})

		client.collect()
		server.collect()
		for _, d := range all {
			client.expect(d.c, d.p.pid(), d.p.role.Name, d.want)
			back := conversation{d.c.proto, d.c.remote, d.c.local}
			if d.srv != nil {
				server.expect(back, d.srv.pid(), d.srv.role.Name, flow.MatchExact)
			} else {
				server.expect(back, 0, "", flow.MatchNone)
			}
		}
	})
}

// TestOpenedBefore: sockets that are older than pktstat, and a process that ends during the epoch.
func TestOpenedBefore(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		srv := start(t, b.Host, role{Name: "tcpserver.old", Local: at(b.IPv4, tcpPort)})
		long := launch(t, a.Host, role{Name: "tcplong.old", Remote: at(b.IPv4, tcpPort), Size: 100})
		port := number(t, long.answer())
		long.order()

		client, server := observe(t, backend, a), observe(t, backend, b)
		c := conversation{flow.TCP, at(a.IPv4, port), at(b.IPv4, tcpPort)}
		back := conversation{flow.TCP, c.remote, c.local}
		for range 3 {
			long.order()
			client.collect()
			server.collect()
		}
		client.expect(c, long.pid(), "tcplong.old", flow.MatchExact)
		server.expect(back, srv.pid(), "tcpserver.old", flow.MatchExact)

		long.order()
		long.end() // and with it send the FIN
		client.collect()
		server.collect()
		client.expect(c, long.pid(), "tcplong.old", flow.MatchExact)
		server.expect(back, srv.pid(), "tcpserver.old", flow.MatchExact)
	})
}

// TestListenerOfSeveral: workers accept on a listener that they have inherited. Each connection is
// attributed to its worker, or marked shared.
func TestListenerOfSeveral(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		for _, mptcp := range []bool{false, true} {
			t.Run(fmt.Sprintf("mptcp=%v", mptcp), func(t *testing.T) {
				a, b := testnet.Pair(t, testnet.Link{})
				master := launch(t, b.Host, role{Name: "prefork.main", Local: at(b.IPv4, tcpPort), Children: 3, MPTCP: mptcp})
				workers := map[uint32]bool{}
				for _, s := range strings.Fields(master.answer()) {
					pid, err := strconv.ParseUint(s, 10, 32)
					if err != nil {
						t.Fatal(err)
					}
					workers[uint32(pid)] = true
				}
				server := observe(t, backend, b)
				for i := range 6 {
					d := newConn(t, a, at(b.IPv4, tcpPort), mptcp)
					pid := d.whoAnswers()
					if i%2 == 0 {
						server.collect() // while the connection is open
					}
					d.Close()
					server.collect()
					back := conversation{flow.TCP, at(b.IPv4, tcpPort), d.local}
					if !workers[pid] {
						t.Fatalf("process %d answered, the workers are %v", pid, workers)
					}
					for _, r := range server.of(back) {
						o := server.owners.Get(r.Key.OwnerID)
						switch {
						case r.Match == flow.MatchExact && o.PID != pid:
							t.Errorf("connection %d: match exact for %d, but %d answered", i, o.PID, pid)
						case r.Match == flow.MatchShared && !workers[o.PID] && o.PID != master.pid():
							t.Errorf("connection %d: shared by %d", i, o.PID)
						case r.Match == flow.MatchExact && o.Comm != "worker":
							t.Errorf("connection %d: %q", i, o.Comm)
						case r.Match != flow.MatchExact && r.Match != flow.MatchShared:
							t.Errorf("connection %d: %v", i, r.Match)
						}
						if process.Tracked(server.att) && !mptcp && r.Match != flow.MatchExact {
							t.Errorf("connection %d: %v, though BPF reports who receives", i, r.Match)
						}
					}
				}
			})
		}
	})
}
