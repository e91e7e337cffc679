package test

import (
	"os"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestLiveEqualsCapture: the same traffic gives the same flows in three places: in a capture, on
// its way out of an interface, and into another one.
func TestLiveEqualsCapture(t *testing.T) {
	testenv.Privileged(t)
	const packets, flows = 100_000, 5_000
	capture := mixCapture(t, packets, flows)
	want := parseReport(t, []byte(run(t, "--pcap-file", capture, "--output", "json")))
	if want.Total.Packets != packets {
		t.Fatalf("%d packets counted in a capture of %d", want.Total.Packets, packets)
	}
	frames := framesOf(t, capture)

	// Two tags need a larger MTU than 1500.
	a, b := testnet.Pair(t, testnet.Link{MTU: 1600})
	ends := []*counting{count(t, a, "tc"), count(t, b, "tc")}
	a.SendFrames(1, frames...)
	crossed := b.Settle()
	if crossed.RxPackets != packets {
		t.Fatalf("%d frames of %d crossed the link", crossed.RxPackets, packets)
	}
	for n, c := range ends {
		got := c.stop()
		c.checkReports()
		if got.Total.Counters != want.Total.flow() {
			t.Errorf("end %d: total %+v, in the capture %+v", n, got.Total, want.Total)
		}
		checkCrossed(t, registry.CapIngress|registry.CapEgress, got.sum(flow.Ingress), got.sum(flow.Egress), []testnet.Stats{a.Stats(), b.Stats()}[n])
		var differences differences
		live := got.byID()
		for i, c := range want.byID() {
			if live[i] != c {
				differences.add("end %d: %+v: %+v, in the capture %+v", n, i, live[i], c)
			}
			delete(live, i)
		}
		for i, c := range live {
			differences.add("end %d: %+v: %+v, not in the capture", n, i, c)
		}
		differences.report(t)
	}
}

// framesOf returns the frames of a capture of uncut packets.
func framesOf(t *testing.T, capture string) [][]byte {
	t.Helper()
	file, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	_, packets, err := pcapfile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	frames := make([][]byte, len(packets))
	for i, p := range packets {
		if frames[i] = p.Data; len(p.Data) != p.OrigLen {
			t.Fatalf("packet %d is cut", i)
		}
	}
	return frames
}
