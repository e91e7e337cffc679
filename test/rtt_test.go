package test

import (
	"encoding/json"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestDelay: a delay of the network is the round-trip time of handshakes, at both ends and at every
// backend. A busy machine adds to single handshakes, so the
// shortest of a few counts. None is shorter than the delay.
func TestDelay(t *testing.T) {
	testenv.Privileged(t)
	client, server, way := testnet.Delayed(t)
	var ends []*liveEnd
	for _, backend := range []string{"tc", "afpacket", "cgroup", "kprobe", "xdp"} {
		for _, at := range []*testnet.Iface{client, server} {
			if backend == "xdp" && at == client {
				continue // only SYN-ACK passes its hook
			}
			args, host := []string{"-b", backend, "-t", "0", "--by", "conversation", "--top", "0", "--output", "json"}, (*testnet.Host)(nil)
			if backend != "cgroup" && backend != "kprobe" {
				args, host = append(args, "-i", at.Name), at.Host
			}
			e := &liveEnd{backend, at, start(t, host, args...)}
			e.p.counting()
			ends = append(ends, e)
		}
	}
	delays := map[uint16]delayed{}
	for port, delay := range map[uint16]time.Duration{5005: 5 * time.Millisecond, 5050: 50 * time.Millisecond, 5200: 200 * time.Millisecond} {
		way.Set(delay)
		d := delayed{delay: delay}
		for range handshakes {
			if rtt := kernelRTT(t, client, server, port); d.kernel == 0 || rtt < d.kernel {
				d.kernel = rtt
			}
		}
		delays[port] = d
	}
	for _, e := range ends {
		t.Run(e.backend+" at "+e.at.String(), func(t *testing.T) {
			e.p.signal(syscall.SIGINT)
			if code := e.p.wait(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, e.p.errors())
			}
			var r pairedReport
			if err := json.Unmarshal([]byte(e.p.stdout.String()), &r); err != nil {
				t.Fatal(err)
			}
			for port, d := range delays {
				e.checkDelay(t, &r, port, d)
			}
		})
	}
}

// handshakes is the number of connections with each delay.
const handshakes = 5

// delayed is what the handshakes with a port took at least.
type delayed struct{ delay, kernel time.Duration }

// kernelRTT makes a connection, and returns what the client's kernel took the round-trip time for.
// An emulated machine needs longer than the delay.
func kernelRTT(t *testing.T, client, server *testnet.Iface, port uint16) time.Duration {
	t.Helper()
	var l *net.TCPListener
	var c *net.TCPConn
	err := server.Do(func() (err error) {
		l, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(server.IPv4, port)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = client.Do(func() (err error) {
		c, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := l.Accept() // the last segment of the handshake has arrived
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	return time.Duration(testnet.TCPInfo(t, c).Rtt) * time.Microsecond
}

// checkDelay compares the shortest round-trip time of the connections to a port with the delay.
func (e *liveEnd) checkDelay(t *testing.T, r *pairedReport, port uint16, d delayed) {
	t.Helper()
	ns, shortest, n := namespaceOf(t, e.at.Host), 0.0, 0
	for _, row := range r.Rows {
		if row.Proto != "TCP" || row.Ports.Local != port && row.Ports.Remote != port || row.NetNS != 0 && uint64(row.NetNS) != ns {
			continue
		}
		n++
		if row.RTTBy != flow.RTTHandshake.String() || row.RTT < d.delay.Seconds() {
			t.Errorf("port %d: %v s by %q, want at least %v", port, row.RTT, row.RTTBy, d.delay)
		}
		if shortest == 0 || row.RTT < shortest {
			shortest = row.RTT
		}
	}
	if n != handshakes || shortest > 1.1*max(d.delay, d.kernel).Seconds() {
		t.Errorf("port %d: %d connections, at least %v s; want %d, and at most 10 %% more than %v, or the kernel's %v",
			port, n, shortest, handshakes, d.delay, d.kernel)
	}
	t.Logf("port %d: %v s, the kernel measured %v", port, shortest, d.kernel)
}
