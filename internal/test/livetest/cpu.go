package livetest

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// CPUComesOnline checks a CPU that was offline when the backend was opened. Its packets must count
// to their flow from the first one on.
func CPUComesOnline(t *testing.T, open func(on *testnet.Iface) *Source) {
	testenv.Machine(t)
	const cpu = 1
	back := testnet.TakeOffline(t, cpu)
	a, b := testnet.Pair(t, testnet.Link{})
	s := open(b)
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 100, Count: 3, SrcPort: 5000})
	back()
	testnet.Pin(t, cpu)
	more := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 100, Count: 4, SrcPort: 5000})
	sent.Counters.Add(more.Counters)
	var got flow.Counters
	records := s.Records() // Records fails if the overflow is not zero
	for i := range records {
		k := records[i].Key.Key()
		if k.Src == sent.Key.Src && k.Dst == sent.Key.Dst && k.Dir == flow.Ingress {
			got.Add(records[i].Counters)
		}
	}
	if got.Packets != sent.Packets || got.Bytes != sent.Bytes {
		t.Errorf("counted %+v, sent %+v", got, sent.Counters)
	}
}
