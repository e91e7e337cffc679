package test

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/internal/test/testtty"
)

// machineClock is the wall clock of a machine of the kernel matrix. The test sets it.
type machineClock struct {
	t    *testing.T
	true time.Time // at the start of the test
}

func newMachineClock(t *testing.T) *machineClock {
	t.Helper()
	testenv.Machine(t)
	c := &machineClock{t, time.Now()}
	t.Cleanup(func() { c.set(0) })
	return c
}

// set sets the clock to the true time plus ahead.
func (c *machineClock) set(ahead time.Duration) {
	c.t.Helper()
	wall := c.true.Round(0).Add(time.Since(c.true) + ahead) // time.Since uses the monotonic clock
	now := unix.NsecToTimespec(wall.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		c.t.Fatalf("set the clock: %v", err)
	}
}

// TestClockIsSet: if the clock is set during a run, times follow the new clock. Lengths, rates and
// sums do not change.
func TestClockIsSet(t *testing.T) {
	testenv.Privileged(t)
	clock := newMachineClock(t)
	a, b := testnet.Pair(t, testnet.Link{})
	page := filepath.Join(t.TempDir(), "run.html")
	begun := time.Now()
	p := startStream(t, a.Host, "-i", a.Name, "-t", "0", "-r", "200ms", "--output", "ndjson", "--output", "html="+page)
	p.parse = decodeReport
	p.counting()
	var sent, sum flow.Counters
	var reports []*report
	send := func() {
		sent.Add(testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 50}).Counters)
		for sum.Packets < sent.Packets {
			reports = append(reports, p.report())
			sum.Add(reports[len(reports)-1].Total.flow())
		}
	}
	send()
	first := time.Now()
	clock.set(time.Hour)
	send()
	clock.set(-time.Hour)
	send()
	least := time.Since(first)
	p.signal(syscall.SIGINT)
	reports = append(reports, p.rest()...)
	most := time.Since(begun)
	steps := checkRun(t, reports, page, sent, least, most)
	last := reports[len(reports)-1]
	if ahead := last.End.Sub(last.Start) - seconds(last.Duration); !near(ahead, -time.Hour) {
		t.Errorf("the run is from %v to %v", last.Start, last.End)
	}
	if len(steps) != 2 || !near(steps[0], time.Hour) || !near(steps[1], -2*time.Hour) {
		t.Errorf("the clock was set by %v", steps)
	}
}

// checkRun compares a run's reports and its page with what was sent, and with its length. It
// returns the clock's steps against the lengths.
func checkRun(t *testing.T, reports []*report, page string, sent flow.Counters, least, most time.Duration) (steps []time.Duration) {
	t.Helper()
	last := reports[len(reports)-1]
	if last.Total.flow() != sent {
		t.Errorf("counted %+v, sent %+v", last.Total, sent)
	}
	if d := seconds(last.Duration); d < least || d > most {
		t.Errorf("the run is %v long, but took %v to %v", d, least, most)
	}
	checkSeries(t, page, last)
	return checkIntervals(t, reports)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// near allows for the time that setting a clock takes.
func near(a, b time.Duration) bool { return (a - b).Abs() < 10*time.Second }

// checkIntervals checks interval reports and the final report. It returns by how much the clock was
// set between them.
func checkIntervals(t *testing.T, reports []*report) (steps []time.Duration) {
	t.Helper()
	last := reports[len(reports)-1]
	var sum flow.Counters
	length := 0.0
	for i, r := range reports[:len(reports)-1] {
		sum.Add(r.Total.flow())
		length += r.Duration
		if step := r.End.Sub(r.Start) - seconds(r.Duration); step.Abs() > time.Second {
			steps = append(steps, step)
		}
		if i > 0 && !r.Start.Equal(reports[i-1].End) {
			t.Errorf("interval %d begins %v after the one before", i, r.Start.Sub(reports[i-1].End))
		}
		if r.Duration <= 0 {
			t.Errorf("interval %d is %v s long", i, r.Duration)
		}
		for _, f := range r.Flows {
			if want := 8 * float64(f.FrameBytes) / r.Duration; math.Abs(f.BPS-want) > 1e-6*want {
				t.Errorf("interval %d: %v bps, want %v", i, f.BPS, want)
			}
			if f.First.After(f.Last) {
				t.Errorf("interval %d: a flow is from %v to %v", i, f.First, f.Last)
			}
		}
	}
	if sum != last.Total.flow() || math.Abs(length-last.Duration) > 0.001 {
		t.Errorf("intervals have %+v in %v s, the run has %+v in %v s", sum, length, last.Total, last.Duration)
	}
	for _, f := range last.Flows {
		if f.First.After(f.Last) {
			t.Errorf("a flow is from %v to %v", f.First, f.Last)
		}
	}
	return steps
}

// checkSeries checks the history in a page. Points do not overlap, have their true lengths, and add
// up to the run.
func checkSeries(t *testing.T, page string, run *report) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`id="data-series">(.*?)</script>`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s has no series", page)
	}
	var s struct {
		Start, End []int64
		Total      struct{ Packets []uint64 }
	}
	if err := json.Unmarshal(m[1], &s); err != nil {
		t.Fatal(err)
	}
	length, packets := int64(0), uint64(0)
	for i := range s.Start {
		length += s.End[i] - s.Start[i]
		packets += s.Total.Packets[i]
		if s.End[i] < s.Start[i] || i > 0 && s.Start[i] < s.End[i-1] {
			t.Errorf("point %d is from %d to %d", i, s.Start[i], s.End[i])
		}
	}
	n := len(s.Start)
	if want := 1000 * run.Duration; packets != run.Total.Packets || n == 0 || math.Abs(float64(length)-want) > float64(2*n) {
		t.Fatalf("%d points have %d packets in %d ms, want %d in %v", n, packets, length, run.Total.Packets, want)
	}
	if end := run.End.UnixMilli(); s.End[n-1] != end {
		t.Errorf("the last point ends at %d, the run at %d", s.End[n-1], end)
	}
}

// TestClockIsSetUnderTheView: the interactive view continues if the clock is set.
func TestClockIsSetUnderTheView(t *testing.T) {
	testenv.Privileged(t)
	clock := newMachineClock(t)
	a, b := testnet.Pair(t, testnet.Link{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := r.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil { // a stuck view must not block the test
		t.Fatal(err)
	}
	tty := testtty.New(t, 100, 30)
	cmd := exec.CommandContext(t.Context(), pktstat(t), "-i", a.Name, "-t", "0", "-r", "200ms", "-g", "--output", "ndjson=/proc/self/fd/3")
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.ExtraFiles = tty.TTY, tty.TTY, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p := &stream{launch(t, a.Host, cmd), bufio.NewReader(r), decodeReport}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p.report() // counting has begun
	tty.Wait(t, "the first interval", func(written string) bool { return strings.Contains(written, "No packets yet") })
	var sent flow.Counters
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		clock.set(ahead)
		f := testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 50})
		for seen := uint64(0); seen < f.Packets; {
			seen += p.report().Total.Packets
		}
		p.report() // of an interval after the step
		sent.Add(f.Counters)
	}
	tty.Type(t, "q")
	reports := p.rest()
	if got := reports[len(reports)-1].Total.flow(); got != sent {
		t.Errorf("counted %+v, sent %+v", got, sent)
	}
}
