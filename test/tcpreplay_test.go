package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestReplayAtFullSpeed: tcpreplay sends a large mix as fast as it can, with a report every second.
// The intervals add up to the run, flow by flow. The run equals what the interface sent.
func TestReplayAtFullSpeed(t *testing.T) {
	testenv.Privileged(t)
	tcpreplay := testenv.Tool(t, "tcpreplay", "tcpreplay")
	const packets, flows, loops = 200_000, 20_000, 5
	capture := mixCapture(t, packets, flows)
	a, _ := testnet.Pair(t, testnet.Link{MTU: 1600})
	p := start(t, a.Host, "-i", a.Name, "-t", "0", "-r", "1s", "--output", "ndjson")
	p.counting()
	before := a.Stats()
	cmd := a.Command(tcpreplay, "--quiet", "--topspeed", "--preload-pcap", fmt.Sprintf("--loop=%d", loops), "--intf1="+a.Name, capture)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := a.Run(cmd); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &out)
	}
	crossed := a.Settle().Minus(before)
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}

	var final *report
	var total flow.Counters
	intervals, n := sums[passage]{}, 0
	for d := json.NewDecoder(bytes.NewReader([]byte(p.stdout.String()))); d.More(); {
		var text json.RawMessage
		if err := d.Decode(&text); err != nil {
			t.Fatal(err)
		}
		r := parseReport(t, text)
		if r.Final {
			final = r
			continue
		}
		n++
		total.Add(r.Total.flow())
		for id, c := range r.byPassage() {
			intervals.add(id, c)
		}
	}
	if final == nil || n < 2 {
		t.Fatalf("%d interval reports, and a final one: %v", n, final != nil)
	}
	if crossed.TxPackets != packets*loops {
		t.Fatalf("the interface sent %d packets of %d", crossed.TxPackets, packets*loops)
	}
	if total != final.Total.flow() || total.Packets != crossed.TxPackets || total.FrameBytes != crossed.TxBytes {
		t.Errorf("intervals %+v, run %+v, interface %+v", total, final.Total, crossed)
	}
	if !final.Overflow.flow().IsZero() || !final.Lost.flow().IsZero() {
		t.Errorf("overflow %+v, lost %+v, although the tables have room for all", final.Overflow, final.Lost)
	}
	var differences differences
	for id, c := range final.byPassage() {
		if intervals[id] != c {
			differences.add("%+v: intervals %+v, run %+v", id, intervals[id], c)
		}
	}
	differences.report(t)
	t.Logf("%d packets in %d intervals", total.Packets, n)
}
