package test

import (
	"encoding/json"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestRefusedLive: each backend counts the RST of a port without a listener, and the attempt that
// it ends. A connection that is made and closed is no such attempt.
func TestRefusedLive(t *testing.T) {
	testenv.Privileged(t)
	b, a := testnet.Pair(t, testnet.Link{})
	counts := map[string]*process{}
	for _, backend := range []string{"tc", "afpacket", "cgroup", "kprobe"} {
		args, host := []string{"-b", backend, "-t", "0", "--by", "conversation", "--sort", "connect_failed", "--output", "json"}, (*testnet.Host)(nil)
		if backend == "tc" || backend == "afpacket" {
			args, host = append(args, "-i", a.Name), a.Host
		}
		counts[backend] = start(t, host, args...)
		counts[backend].counting()
	}
	const port = 7004
	refused := netip.AddrPortFrom(b.IPv4, port)
	for range 3 {
		if err := a.Do(func() error {
			_, err := net.Dial("tcp", refused.String())
			return err
		}); err == nil {
			t.Fatal("connected")
		}
	}
	testnet.SendTCP(t, a, b, testnet.TCP{Request: 100, Reply: 100})
	for backend, p := range counts {
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Fatalf("%s: exit code %d:\n%s", backend, code, p.errors())
		}
		var r struct {
			Flows []struct {
				NetNS uint64
				ports
				Local netip.Addr
				health
			}
			Total health
		}
		if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
			t.Fatal(err)
		}
		ns := namespaceOf(t, a.Host)
		var failed, resets uint64
		for _, f := range r.Flows {
			if f.NetNS != 0 && f.NetNS != ns {
				continue
			}
			failed += f.ConnectFailed
			if f.Remote == port {
				resets += f.Resets
			}
			if f.ConnectFailed > 0 && (f.Local != a.IPv4 || f.Remote != port || f.ConnectFailed != 1) {
				t.Errorf("%s: %+v", backend, f)
			}
		}
		if failed != 3 || resets != 3 || r.Total.ConnectFailed < 3 {
			t.Errorf("%s: %d failed and %d resets, want 3 each; total %+v", backend, failed, resets, r.Total)
		}
	}
}
