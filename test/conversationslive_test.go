package test

import (
	"encoding/json"
	"net/netip"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// liveEnd is a count of conversations at one end of a veth pair.
type liveEnd struct {
	backend string
	at      *testnet.Iface
	p       *process
}

// TestConversationsLive: at both ends and at every backend, each exchange is one row with the
// near end first. What went out and came in is what the interface has sent and received.
func TestConversationsLive(t *testing.T) {
	testenv.Privileged(t)
	server, client := testnet.Pair(t, testnet.Link{})
	var ends []*liveEnd
	for _, backend := range []string{"tc", "afpacket", "cgroup", "kprobe"} {
		for _, at := range []*testnet.Iface{client, server} {
			args, host := []string{"-b", backend, "-t", "0", "--by", "conversation", "--output", "json"}, (*testnet.Host)(nil)
			if backend == "tc" || backend == "afpacket" {
				args, host = append(args, "-i", at.Name), at.Host
			}
			e := &liveEnd{backend, at, start(t, host, args...)}
			e.p.counting()
			ends = append(ends, e)
		}
	}
	before := map[*testnet.Iface]testnet.Stats{client: client.Settle(), server: server.Settle()}
	up, _ := testnet.SendTCP(t, client, server, testnet.TCP{Request: 10_000, Reply: 200_000})
	asked := testnet.SendUDP(t, client, server, testnet.UDP{SrcPort: 40_000, DstPort: 53, Payload: 40, Count: 7})
	testnet.SendUDP(t, server, client, testnet.UDP{SrcPort: 53, DstPort: 40_000, Payload: 200, Count: 5})
	pinged, _ := testnet.SendPing(t, client, server, testnet.Ping{Payload: 56, Count: 3})
	for _, e := range ends {
		t.Run(e.backend+" at "+e.at.Name, func(t *testing.T) {
			crossed := e.at.Settle().Minus(before[e.at])
			e.p.signal(syscall.SIGINT)
			if code := e.p.wait(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, e.p.errors())
			}
			var r pairedReport
			if err := json.Unmarshal([]byte(e.p.stdout.String()), &r); err != nil {
				t.Fatal(err)
			}
			e.check(t, &r, up.Src, up.Dst, crossed)
			echo := e.rows(t, &r, "ICMP", pinged.Key.Src, pinged.Key.Dst)
			// No socket sends what the kernel answers, and a raw socket's ingress passes no control group.
			if e.backend != "cgroup" && (len(echo) != 1 || echo[0].Out.Packets != 3 || echo[0].In.Packets != 3) || len(echo) > 1 {
				t.Errorf("ICMP: %+v, want one row with 3 requests and 3 replies", echo)
			}
			udp := e.rows(t, &r, "UDP", asked.Key.Src, asked.Key.Dst)
			out, in := uint64(7), uint64(5)
			if e.at == server {
				out, in = in, out
			}
			if len(udp) != 1 || udp[0].Out.Packets != out || udp[0].In.Packets != in {
				t.Errorf("UDP: %+v, want one row with %d packets out and %d in", udp, out, in)
			}
		})
	}
}

// rows returns the rows of an exchange that are of this end's network namespace.
func (e *liveEnd) rows(t *testing.T, r *pairedReport, proto string, near, far netip.AddrPort) []pairedRow {
	t.Helper()
	if near.Addr() != e.at.IPv4 && near.Addr() != e.at.IPv6 {
		near, far = far, near
	}
	ns := namespaceOf(t, e.at.Host)
	var rows []pairedRow
	for _, row := range r.Rows {
		if row.NetNS != 0 && uint64(row.NetNS) != ns || row.Proto != proto {
			continue
		}
		ends := [2]netip.AddrPort{netip.AddrPortFrom(row.Local, row.Ports.Local), netip.AddrPortFrom(row.Remote, row.Ports.Remote)}
		switch ends {
		case [2]netip.AddrPort{near, far}:
			if row.EndsBy != "direction" {
				t.Errorf("%+v: the local end is known by %q", row, row.EndsBy)
			}
			rows = append(rows, row)
		case [2]netip.AddrPort{far, near}:
			t.Errorf("%+v: the far end comes first", row)
		}
	}
	return rows
}

// check compares the row of the TCP connection, and the sums of all rows with the interface.
func (e *liveEnd) check(t *testing.T, r *pairedReport, client, server netip.AddrPort, crossed testnet.Stats) {
	t.Helper()
	tcp := e.rows(t, r, "TCP", client, server)
	if len(tcp) != 1 {
		t.Fatalf("%d rows of the connection: %+v", len(tcp), r.Rows)
	}
	row := &tcp[0]
	if row.RTTBy != flow.RTTHandshake.String() || row.RTT <= 0 || row.RTT > 5 || row.TCPState != "fin" && row.TCPState != "reset" {
		t.Errorf("round-trip time %v by %q, state %q", row.RTT, row.RTTBy, row.TCPState)
	}
	ns := namespaceOf(t, e.at.Host)
	var out, in flow.Counters
	for i := range r.Rows {
		if row := &r.Rows[i]; row.NetNS == 0 || uint64(row.NetNS) == ns {
			out.Add(row.Out.flow())
			in.Add(row.In.flow())
		}
	}
	if e.backend == "cgroup" { // it does not see what no socket sends or receives: ARP, parts of IPv6
		return
	}
	if e.backend == "kprobe" && out.Packets > crossed.TxPackets && in.Packets > crossed.RxPackets {
		t.Errorf("%d packets out, %d in; the interface has %+v", out.Packets, in.Packets, crossed)
	}
	if e.backend != "kprobe" && (out.Packets != crossed.TxPackets || in.Packets != crossed.RxPackets || out.FrameBytes != crossed.TxBytes || in.FrameBytes != crossed.RxBytes) {
		t.Errorf("out %+v, in %+v; the interface has %+v", out, in, crossed)
	}
}
