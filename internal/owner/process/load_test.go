package process_test

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// share is how many bytes were attributed how.
type share struct{ right, shared, wrong, unknown uint64 }

// shares adds up the records of one direction. truth returns the process of a conversation by the
// ports of both ends.
func (w *watch) shares(truth func(p flow.Proto, local, remote uint16) uint32) share {
	w.t.Helper()
	var s share
	for _, r := range w.records {
		k := r.Key.Key()
		if !k.HasPorts() {
			continue
		}
		local, remote := k.Src.Port(), k.Dst.Port()
		if k.Dir == flow.Ingress {
			local, remote = remote, local
		}
		want := truth(k.Proto, local, remote)
		got := w.owners.Get(r.Key.OwnerID).PID
		switch {
		case got == 0 && r.Match != flow.MatchNone:
			w.t.Errorf("no owner: %v %v %v > %v: %v, not %d", k.Dir, k.Proto, k.Src, k.Dst, r.Match, want)
		case got == 0:
			s.unknown += r.Bytes
			w.t.Logf("unknown: %v %v %v > %v, %d packets: %v", k.Dir, k.Proto, k.Src, k.Dst, r.Packets, r.Match)
		case got == want && r.Match == flow.MatchShared:
			s.shared += r.Bytes
		case got == want:
			s.right += r.Bytes
		case r.Match == flow.MatchShared:
			s.shared += r.Bytes
		default:
			s.wrong += r.Bytes
			w.t.Errorf("wrong: %v %v %v > %v: %v, %d not %d", k.Dir, k.Proto, k.Src, k.Dst, r.Match, got, want)
		}
	}
	return s
}

// TestMixedLoad: 1,000 short connections, 20 long ones and DNS-like queries. At least 99 % of the
// bytes are attributed to the right process, and none to a wrong one.
func TestMixedLoad(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		const short, long, queries = 5, 20, 3
		a, b := testnet.Pair(t, testnet.Link{Offloads: true})
		tcp := start(t, b.Host, role{Name: "tcpserver.all", Local: at(b.IPv4, tcpPort), N: short + long})
		udp := start(t, b.Host, role{Name: "udpserver.all", Local: at(b.IPv4, udpPort), N: queries})
		client, server := observe(t, backend, a), observe(t, backend, b)

		owners := map[flow.Proto]map[uint16]uint32{flow.TCP: {}, flow.UDP: {}} // by the server's port
		var all []*helper
		run := func(p flow.Proto, r role) {
			h := launch(t, a.Host, r)
			owners[p][r.Remote.Port()] = h.pid()
			all = append(all, h)
		}
		for i := range uint16(short) {
			run(flow.TCP, role{Name: "tcpmany." + strconv.Itoa(int(i)), Remote: at(b.IPv4, tcpPort+i), N: 1000 / short, Size: 1500})
		}
		for i := range uint16(queries) {
			run(flow.UDP, role{Name: "udpmany." + strconv.Itoa(int(i)), Remote: at(b.IPv4, udpPort+i), N: 200, Size: 60})
		}
		var streams []*helper
		for i := range uint16(long) {
			run(flow.TCP, role{Name: "tcplong." + strconv.Itoa(int(i)), Remote: at(b.IPv4, tcpPort+short+i), Size: 20_000})
			streams = append(streams, all[len(all)-1])
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			for _, h := range all {
				h.answer()
			}
			for range 5 {
				for _, h := range streams {
					h.order()
				}
			}
		}()
		for over := false; !over; {
			select {
			case <-answered:
				over = true
			case <-time.After(200 * time.Millisecond):
			}
			client.collect()
			server.collect()
		}
		for _, h := range all {
			h.end()
		}
		client.collect()
		server.collect()

		c := client.shares(func(p flow.Proto, _, remote uint16) uint32 { return owners[p][remote] })
		s := server.shares(func(p flow.Proto, _, _ uint16) uint32 {
			if p == flow.UDP {
				return udp.pid()
			}
			return tcp.pid()
		})
		for side, got := range map[string]share{"client": c, "server": s} {
			total := got.right + got.shared + got.wrong + got.unknown
			t.Logf("%s: of %d bytes, %.2f %% right, %d shared, %d unknown, %d wrong", side, total, 100*float64(got.right)/float64(total), got.shared, got.unknown, got.wrong)
			if got.wrong != 0 || got.right*100 < total*99 {
				t.Errorf("%s: of %d bytes, %+v", side, total, got)
			}
			if total < 1_500_000 {
				t.Errorf("%s: only %d bytes", side, total)
			}
		}
	})
}

// TestOverflow: if the ring buffer overflows, the notes report it, and no traffic is attributed to
// a wrong process.
func TestOverflow(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		start(t, b.Host, role{Name: "udpserver.all", Local: at(b.IPv4, udpPort), N: 2})
		w := observe(t, backend, a, func(o *process.Options) { process.SetRing(o, uint32(os.Getpagesize())) })
		owners := map[uint16]uint32{}
		resume := process.Stall(w.att)
		for i := range uint16(2) {
			h := start(t, a.Host, role{Name: "udpmany", Remote: at(b.IPv4, udpPort+i), N: 200, Size: 20})
			h.end()
			owners[udpPort+i] = h.pid()
		}
		resume()
		w.collect()
		s := w.shares(func(_ flow.Proto, _, remote uint16) uint32 { return owners[remote] })
		said := strings.Join(w.att.Notes(), "\n")
		if !strings.Contains(said, "socket events were lost") || s.unknown == 0 {
			t.Errorf("%+v, and notes %q", s, said)
		}
		if s.wrong != 0 {
			t.Errorf("%+v", s)
		}

		// Tests in parallel may fill the ring, too. Retry until a read was in time.
		w.t.Logf("%+v", s)
		found := false
		for end := time.Now().Add(limit); !found && time.Now().Before(end); {
			w.records = nil
			q := launch(t, a.Host, role{Name: "udpquery.after", Remote: at(b.IPv4, udpPort), Size: 20})
			c := conversation{flow.UDP, at(a.IPv4, number(t, q.answer())), at(b.IPv4, udpPort)}
			q.end()
			w.collect()
			for _, r := range w.of(c) {
				pid := w.owners.Get(r.Key.OwnerID).PID
				if pid != q.pid() && pid != 0 {
					t.Errorf("%v: %d, not %d", r.Key.Key(), pid, q.pid())
				}
				found = found || pid == q.pid()
			}
		}
		if !found {
			t.Error("no process was found after the overflow")
		}
	})
}

// TestKernelSockets: the kernel itself has the port.
func TestKernelSockets(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		for i, end := range []*testnet.Iface{a, b} {
			peer := []*testnet.Iface{b, a}[i]
			testenv.Feature(t, "vxlan", "3.7", func() error {
				return end.Netlink().LinkAdd(&netlink.Vxlan{
					LinkAttrs: netlink.LinkAttrs{Name: "vx0"}, VxlanId: 7, Port: 4789, VtepDevIndex: end.Index,
					Group: peer.IPv4.AsSlice(), SrcAddr: end.IPv4.AsSlice(),
				})
			})
			address(t, end.Host, "vx0", netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}))
		}
		inner := netip.MustParseAddr("10.77.0.2")
		srv := start(t, b.Host, role{Name: "udpserver.inner", Local: at(inner, udpPort)})
		w := observe(t, backend, b)
		q := start(t, a.Host, role{Name: "udpquery.inner", Remote: at(inner, udpPort), Size: 10})
		q.end()
		w.collect()
		seen := 0
		for _, r := range w.records {
			k := r.Key.Key()
			if w.wide && (k.Src.Addr() == inner || k.Dst.Addr() == inner) {
				if o := w.owners.Get(r.Key.OwnerID); o.PID != srv.pid() || r.Match != flow.MatchExact {
					t.Errorf("inside the tunnel: %v: %+v %v", k, o, r.Match)
				}
				continue
			}
			if k.Dir != flow.Ingress || k.Proto != flow.UDP || k.Dst.Port() != 4789 {
				if o := w.owners.Get(r.Key.OwnerID); o.PID != 0 { // even a socket of the kernel has a cgroup
					t.Errorf("%v: %+v %v", k, o, r.Match)
				}
				continue
			}
			seen++
			if o := w.owners.Get(r.Key.OwnerID); r.Match != flow.MatchKernel || o.PID != 0 {
				t.Errorf("%v: %+v %v", k, o, r.Match)
			}
		}
		if seen == 0 && !w.sockets {
			t.Errorf("no vxlan packet in %d records", len(w.records))
		}
	})
}

// TestPIDReuse: a process that gets the PID of an ended one is another owner. All backends watch
// the same two processes, because only one test at a time can choose a PID.
func TestPIDReuse(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	start(t, b.Host, role{Name: "udpserver.main", Local: at(b.IPv4, udpPort)})
	watches := map[string]*watch{}
	for name := range liveBackends() {
		watches[name] = observe(t, name, a)
	}
	before := map[string]int{} // number of records before the second process
	collect := func() {
		for name, w := range watches {
			w.collect()
			before[name] = len(w.records)
		}
	}
	ask := func(name string) *helper {
		p := start(t, a.Host, role{Name: name, Remote: at(b.IPv4, udpPort), Size: 20})
		p.end()
		return p
	}
	first := ask("udpquery.first")
	collect()
	var second *helper
	for range 200 {
		// The kernel assigns the next PID after this one.
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(int(first.pid())-1)), 0); err != nil {
			t.Skipf("cannot choose a PID here: %v", err)
		}
		if second = ask("udpquery.second"); second.pid() == first.pid() {
			break
		}
		collect()
	}
	if second.pid() != first.pid() {
		t.Skip("another process got the PID each time")
	}
	for name, w := range watches {
		w.collect()
		t.Run(name, func(t *testing.T) { w.twoWithOnePID(t, first.pid(), before[name]) })
	}
}

// twoWithOnePID fails unless the first records have one owner with the PID, and the records after
// them another one.
func (w *watch) twoWithOnePID(t *testing.T, pid uint32, first int) {
	var ids [2]uint32
	for i, r := range w.records {
		o := w.owners.Get(r.Key.OwnerID)
		if o.PID != pid {
			continue
		}
		which := 0
		if i >= first {
			which = 1
		}
		ids[which] = r.Key.OwnerID
		if want := []string{"udpquery.first", "udpquery.second"}[which]; o.Comm != want || r.Match != flow.MatchExact {
			t.Errorf("%v is of %q, %v, want %q", r.Key.Key(), o.Comm, r.Match, want)
		}
	}
	if ids[0] == 0 || ids[1] == 0 || ids[0] == ids[1] {
		t.Errorf("owners %v of two processes with PID %d", ids, pid)
	}
}

// TestProc: without BPF, pktstat finds long-lived sockets in /proc, and the notes report that.
func TestProc(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		srv := start(t, b.Host, role{Name: "tcpserver.main", Local: at(netip.IPv6Unspecified(), tcpPort)})
		useProc := func(o *process.Options) { o.Proc = true }
		client, server := observe(t, backend, a, useProc), observe(t, backend, b, useProc)
		p := launch(t, a.Host, role{Name: "tcplong.a (b) c", Remote: at(b.IPv4, tcpPort), Size: 100})
		c := conversation{flow.TCP, at(a.IPv4, number(t, p.answer())), at(b.IPv4, tcpPort)}
		p.order()
		client.collect()
		server.collect()
		client.expect(c, p.pid(), "tcplong.a (b) c", flow.MatchExact)
		server.expect(conversation{flow.TCP, c.remote, c.local}, srv.pid(), "tcpserver.main", flow.MatchExact)
		for _, r := range client.of(c) {
			o := client.owners.Get(r.Key.OwnerID)
			if o.UID != uint32(os.Getuid()) || o.Start == 0 || o.CgroupID == 0 || o.Cgroup == "" {
				t.Errorf("owner %+v", o)
			}
		}
		if notes := client.att.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "finds processes in /proc") {
			t.Errorf("notes %q", notes)
		}
	})
}
