package test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestBackendsAgree: all backends on an interface count the same flows, packets and bytes. A
// capture that tcpdump writes at the other end has the same, too.
func TestBackendsAgree(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range []struct {
		name     string
		offloads bool
		xdp      bool
	}{
		{"without offloads", false, true},
		// An XDP program at one end stops super-frames from the other end. GRO merges packets after
		// XDP.
		{"merged by GRO", true, true},
		{"super-frames", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for try := 1; !backendsAgree(t, c.offloads, c.xdp); try++ {
				if try == 5 {
					t.Fatal("the link drops packets between the two ends")
				}
			}
		})
	}
}

// backendsAgree returns false and checks nothing if the link dropped packets, because its ends then
// differ.
func backendsAgree(t *testing.T, offloads, xdp bool) bool {
	a, b := testnet.Pair(t, testnet.Link{Offloads: offloads})
	names := []string{"tc", "afpacket"}
	if xdp {
		names = []string{"xdp", "tc", "afpacket"} // it changes the features of the link
	}
	var running []*process
	for _, n := range names {
		p := start(t, b.Host, "--backend", n, "-i", b.Name, "-t", "0", "--output", "json")
		p.counting()
		running = append(running, p)
	}
	capture := startTcpdump(t, a)
	before := a.Settle()
	sendEveryday(t, a, b)
	for _, v6 := range []bool{false, true} {
		testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, DstPort: 5002, Request: 4 << 20, Reply: 1 << 20})
	}
	dropped := a.Settle().Minus(before).TxDropped
	file := capture.end()
	reports := map[string]*report{}
	for i, p := range running {
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Fatalf("%s: exit code %d:\n%s", names[i], code, p.errors())
		}
		reports[names[i]] = parseReport(t, []byte(p.stdout.String()))
	}
	if dropped > 0 {
		t.Logf("%d packets dropped", dropped)
		return false
	}
	tc := reports["tc"].byPassage()
	compare(t, "afpacket", reports["afpacket"].byPassage(), tc)
	ingress := maps.Clone(tc)
	maps.DeleteFunc(ingress, func(p passage, _ flow.Counters) bool { return p.direction != "ingress" })
	if len(ingress) < 20 {
		t.Errorf("only %d flows came in", len(ingress))
	}
	if !xdp {
		return true // a capture does not show the segments of a super-frame
	}
	compare(t, "xdp", reports["xdp"].byPassage(), ingress)

	// Compare with the capture, which does not show the direction.
	theirs, ours := parseReport(t, []byte(run(t, "--pcap-file", file, "--output", "json"))).byID(), sums[id]{}
	for p, c := range tc {
		if p.direction == "ingress" || !offloads {
			ours.add(p.id, c)
		}
	}
	if offloads { // the answers are in super-frames
		maps.DeleteFunc(theirs, func(i id, _ flow.Counters) bool { return ours[i].IsZero() })
		for p := range tc {
			if p.direction == "egress" { // both ends send frames of this type
				delete(ours, p.id)
				delete(theirs, p.id)
			}
		}
	}
	compare(t, "pcap", theirs, ours)
	return true
}

// compare compares a backend's counters with those that tc has.
func compare[K comparable](t *testing.T, name string, got, tc sums[K]) {
	t.Helper()
	var d differences
	got = maps.Clone(got)
	for k, c := range tc {
		if got[k] != c {
			d.add("%s: %+v: %+v, tc %+v", name, k, got[k], c)
		}
		delete(got, k)
	}
	for k, c := range got {
		d.add("%s: only it counts %+v: %+v", name, k, c)
	}
	d.report(t)
}

// tcpdump is a running capture.
type tcpdump struct {
	*process
	on   *testnet.Iface
	file string
}

// startTcpdump captures on an interface.
func startTcpdump(t *testing.T, on *testnet.Iface) *tcpdump {
	t.Helper()
	bin := testenv.Tool(t, "tcpdump", "tcpdump")
	d := &tcpdump{on: on, file: filepath.Join(t.TempDir(), "traffic.pcap")}
	// In immediate mode, each packet takes a snaplen of the buffer. With the default of 256 kB, 64
	// MB hold 256 packets, which a busy machine does not read in time.
	d.process = launch(t, on.Host, exec.CommandContext(t.Context(), bin,
		"-i", on.Name, "-Z", "root", "-U", "--immediate-mode", "-s", "1024", "-B", "65536", "-w", d.file))
	for timeout := time.After(20 * time.Second); ; {
		select {
		case line, ok := <-d.lines:
			if !ok {
				t.Fatalf("tcpdump has ended:\n%s", d.errors())
			}
			if strings.Contains(line, "listening on ") {
				return d
			}
		case <-timeout:
			t.Fatalf("tcpdump did not start:\n%s", d.errors())
		}
	}
}

// end returns the file when it has everything that was sent so far.
func (d *tcpdump) end() string {
	d.t.Helper()
	last := []byte("this is the last packet of the capture")
	d.on.SendFrames(1, d.on.Ethernet(testnet.UnusedMAC, 0x88b5, last))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(d.file)
		if err != nil {
			d.t.Fatal(err)
		}
		if bytes.Contains(text, last) {
			break
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the capture did not end:\n%s", d.errors())
		}
	}
	d.signal(syscall.SIGINT)
	if code := d.wait(); code != 0 || !strings.Contains(d.errors(), "\n0 packets dropped by kernel") {
		d.t.Fatalf("tcpdump: exit code %d:\n%s", code, d.errors())
	}
	return d.file
}

// TestOnlyNetRaw: with only CAP_NET_RAW, auto chooses the backend that needs no other capability.
func TestOnlyNetRaw(t *testing.T) {
	testenv.Privileged(t)
	bin := pktstat(t)
	if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	const netRaw, unprivileged = 13, 65534
	for _, args := range [][]string{nil, {"--backend", "afpacket"}} {
		a, b := testnet.Pair(t, testnet.Link{})
		cmd := exec.CommandContext(t.Context(), bin, append(args, "-i", b.Name, "-t", "0", "--output", "json")...)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: unprivileged, Gid: unprivileged},
			AmbientCaps: []uintptr{netRaw},
		}
		p := launch(t, b.Host, cmd)
		p.counting()
		sent := []testnet.Flow{testnet.SendUDP(t, a, b, testnet.UDP{Payload: 10, Count: 100})}
		sent[0].Key.Dir = flow.Ingress
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.errors())
		}
		r := parseReport(t, []byte(p.stdout.String()))
		if r.Backend != "afpacket" {
			t.Errorf("the backend is %s", r.Backend)
		}
		checkFlows(t, r.byPassage(), sent)
	}
}

// TestNoCapability: without capabilities, one line names those that are needed, and how to get
// them.
func TestNoCapability(t *testing.T) {
	testenv.Privileged(t)
	bin := pktstat(t)
	if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	_, b := testnet.Pair(t, testnet.Link{})
	cmd := exec.CommandContext(t.Context(), bin, "--backend", "afpacket", "-i", b.Name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	p := launch(t, b.Host, cmd)
	if code := p.wait(); code != 4 {
		t.Errorf("exit code %d, want 4", code)
	}
	lines := slices.Collect(strings.Lines(p.errors()))
	want := "needs root or cap_net_raw: operation not permitted; run it as root, or once: sudo setcap cap_net_raw=+ep " + bin
	if len(lines) != 1 || !strings.Contains(lines[0], want) {
		t.Errorf("stderr is %q, want one line with %q", lines, want)
	}
}
