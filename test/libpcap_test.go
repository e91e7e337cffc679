//go:build libpcap

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestLibpcapBuild: the program of `make build-libpcap` counts live until a signal. Its totals
// equal the interface's, and its times are of the wall clock.
func TestLibpcapBuild(t *testing.T) {
	testenv.Privileged(t)
	bin := filepath.Join(t.TempDir(), "pktstat")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "libpcap", "-o", bin, "./cmd/pktstat")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a, b := testnet.Pair(t, testnet.Link{})
	before := b.Settle()
	p := launch(t, b.Host, exec.CommandContext(t.Context(), bin, "--pcap-live", b.Name, "-t", "0", "--output", "json"))
	p.counting()
	sent := testnet.SendUDP(t, a, b, testnet.UDP{V6: true, Payload: 500, Count: 1000})
	testnet.SendPing(t, b, a, testnet.Ping{Count: 50})
	n := b.Settle().Minus(before)
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	r := parseReport(t, []byte(p.stdout.String()))
	if r.Backend != "pcap" || r.Attach != "libpcap" || !slices.Equal(r.Interfaces, []string{b.Name}) || r.Duration <= 0 {
		t.Errorf("backend %s, attach %s, interfaces %v, %v s", r.Backend, r.Attach, r.Interfaces, r.Duration)
	}
	if r.Total.Packets != n.RxPackets+n.TxPackets || r.Total.FrameBytes != n.RxBytes+n.TxBytes || n.RxPackets < sent.Packets {
		t.Errorf("counted %+v, the interface %+v", r.Total, n)
	}
	found := false
	for _, row := range r.Flows {
		found = found || row.Src == sent.Key.Src.Addr() && row.SrcPort == sent.Key.Src.Port() && row.counters.flow() == sent.Counters
	}
	if !found {
		t.Errorf("the report does not have %+v", sent)
	}
}
