package test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// stream is a process whose standard output is read while it runs.
type stream struct {
	*process
	out   *bufio.Reader
	parse func(*testing.T, []byte) *report
}

// startStream starts the binary inside a host.
func startStream(t *testing.T, host *testnet.Host, args ...string) *stream {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), pktstat(t), args...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cmd.Stdout = w
	p := launch(t, host, cmd)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &stream{p, bufio.NewReader(r), parseReport}
}

// report reads the next report.
func (s *stream) report() *report {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatalf("%s: no report: %v\n%s", s.cmd, err, s.errors())
	}
	return s.parse(s.t, []byte(line))
}

// rest reads the reports to the end of the run, which must be a success.
func (s *stream) rest() (reports []*report) {
	s.t.Helper()
	text, err := io.ReadAll(s.out)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		reports = append(reports, s.parse(s.t, []byte(line)))
	}
	if code := s.wait(); code != 0 || len(reports) == 0 || !reports[len(reports)-1].Final {
		s.t.Fatalf("exit code %d, %d reports:\n%s", code, len(reports), s.errors())
	}
	return reports
}

// TestSignalForAReport: SIGUSR1 causes an interval report before its time. An output without
// interval reports prints the totals so far.
func TestSignalForAReport(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	p := startStream(t, a.Host, "-i", a.Name, "-t", "0", "-r", "1h", "--output", "ndjson")
	p.counting()
	var sum flow.Counters
	for n := range 3 {
		sent := testnet.SendUDP(t, b, a, testnet.UDP{Payload: 10 * n, Count: 5 + n})
		sent.Key.Dir = flow.Ingress
		p.signal(syscall.SIGUSR1)
		r := p.report()
		checkFlows(t, r.byPassage(), []testnet.Flow{sent})
		if r.Final || r.Total.flow() != sent.Counters {
			t.Errorf("interval %d: %+v, sent %+v", n, r.Total, sent.Counters)
		}
		sum.Add(sent.Counters)
	}
	p.signal(syscall.SIGINT)
	reports := p.rest()
	if last := reports[len(reports)-1]; last.Total.flow() != sum {
		t.Errorf("the run has %+v, sent %+v", last.Total, sum)
	}

	q := start(t, a.Host, "-i", a.Name, "-t", "0", "--output", "json")
	q.counting()
	testnet.SendUDP(t, b, a, testnet.UDP{Payload: 58, Count: 6})
	q.signal(syscall.SIGUSR1)
	q.expect("so far 6 packets, 516 bytes, 1 flow in ")
	q.signal(syscall.SIGINT)
	if code := q.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSecondSignalEndsAtOnce: a second SIGINT does not wait for an output that no process reads,
// and leaves nothing attached.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	p := startStream(t, a.Host, "-i", a.Name, "-t", "0", "--output", "json")
	p.counting()
	const flows = 1000 // more than fit into a pipe
	for i := range flows {
		f := b.Ethernet(testnet.UnusedMAC, uint16(0x8900+i), make([]byte, 46))
		b.SendFrames(1, f)
	}
	b.Settle()
	ids := attached(t, a)
	p.signal(syscall.SIGINT)
	for _, id := range ids { // the run has ended; only its report remains to be written
		gone(t, id)
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 128+int(syscall.SIGINT) {
		t.Errorf("exit code %d: %s", code, p.errors())
	}
	if ids := attached(t, a); len(ids) != 0 {
		t.Errorf("programs %v are still attached", ids)
	}
}

// TestStoppedForAWhile: a process is stopped for a while. It still counts every packet. Each
// interval has its true length, and rates are over that length.
func TestStoppedForAWhile(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	const refresh, pause = 200 * time.Millisecond, 1500 * time.Millisecond
	p := startStream(t, a.Host, "-i", a.Name, "-t", "0", "-r", refresh.String(), "--output", "ndjson")
	p.counting()
	var sent flow.Counters
	send := func() { sent.Add(testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 200}).Counters) }
	send()
	reports := []*report{p.report()}
	p.signal(syscall.SIGSTOP)
	begun := time.Now()
	send()
	time.Sleep(pause)
	p.signal(syscall.SIGCONT)
	stopped := time.Since(begun)
	reports = append(reports, p.report(), p.report(), p.report())
	send()
	p.signal(syscall.SIGINT)
	reports = append(reports, p.rest()...)
	last := reports[len(reports)-1]
	if last.Total.flow() != sent {
		t.Errorf("counted %+v, sent %+v", last.Total, sent)
	}
	checkIntervals(t, reports)
	longest := 0.0
	for i, r := range reports[:len(reports)-1] {
		longest = max(longest, r.Duration)
		if got := r.End.Sub(r.Start).Seconds(); math.Abs(got-r.Duration) > 0.001 {
			t.Errorf("interval %d is %v s long, but reports %v", i, got, r.Duration)
		}
		if i < len(reports)-2 && r.Duration < refresh.Seconds()/10 {
			t.Errorf("interval %d is only %v s long", i, r.Duration) // it must not catch up
		}
	}
	if longest < (stopped - refresh).Seconds() {
		t.Errorf("the longest interval is %v s, stopped for %v", longest, stopped)
	}
}

// TestTwoAtOnce: two runs on one interface, with any two backends, do not disturb each other.
func TestTwoAtOnce(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range [][2][]string{
		{{"-b", "tc"}, {"-b", "tc"}},
		{{"-b", "tc", "--tc-attach", "clsact"}, {"-b", "tc", "--tc-attach", "clsact"}},
		{{"-b", "tc"}, {"-b", "tc", "--tc-position", "last"}},
		{{"-b", "tc"}, {"-b", "xdp", "--xdp-mode", "native"}},
		{{"-b", "tc"}, {"-b", "xdp", "--xdp-mode", "generic"}},
		{{"-b", "afpacket"}, {"-b", "afpacket"}},
		{{"-b", "xdp", "--xdp-mode", "native"}, {"-b", "afpacket"}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			both := [2]*process{}
			for i := range both {
				both[i] = start(t, a.Host, append(c[i], "-i", a.Name, "-t", "0", "-j")...)
				both[i].counting()
			}
			sent := testnet.SendUDP(t, b, a, testnet.UDP{Payload: 200, Count: 500})
			sent.Key.Dir = flow.Ingress
			both[0].signal(syscall.SIGINT)
			first := finalOf(t, both[0])
			checkFlows(t, first.byPassage(), []testnet.Flow{sent})
			// After one run ends, the other continues.
			more := testnet.SendUDP(t, b, a, testnet.UDP{SrcPort: sent.Key.Src.Port(), Payload: 200, Count: 300})
			sent.Counters.Add(more.Counters)
			both[1].signal(syscall.SIGINT)
			checkFlows(t, finalOf(t, both[1]).byPassage(), []testnet.Flow{sent})
			if ids := attached(t, a); len(ids) != 0 {
				t.Errorf("programs %v are still attached", ids)
			}
		})
	}
}

// TestBehindGenericXDP: tc counts the same with a generic XDP program on the interface. The kernel
// then passes it packets without their link header.
func TestBehindGenericXDP(t *testing.T) {
	testenv.Privileged(t)
	for _, l := range []testnet.Link{{}, {Offloads: true}} {
		a, b := testnet.Pair(t, l)
		other := start(t, a.Host, "-b", "xdp", "--xdp-mode", "generic", "-i", a.Name, "-t", "0", "-j")
		other.counting()
		p := start(t, a.Host, "-b", "tc", "-i", a.Name, "-t", "0", "-j")
		p.counting()
		sent := sendEveryday(t, a, b)
		p.signal(syscall.SIGINT)
		other.signal(syscall.SIGINT)
		got := finalOf(t, p)
		checkFlows(t, got.byPassage(), sent.known)
		for _, f := range got.Flows {
			header := uint64(14)
			if f.VLAN != 0 {
				header += 4
			}
			if f.Bytes > 0 && f.FrameBytes < f.Bytes+header*f.Packets {
				t.Errorf("without their headers: %+v", f)
			}
		}
		finalOf(t, other)
	}
}

// finalOf returns the report of a process that ends.
func finalOf(t *testing.T, p *process) *report {
	t.Helper()
	if code := p.wait(); code != 0 {
		t.Fatalf("%s: exit code %d:\n%s", p.cmd, code, p.errors())
	}
	return parseReport(t, []byte(p.stdout.String()))
}
