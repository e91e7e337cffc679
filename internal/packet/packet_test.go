package packet_test

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/corpus"
	"github.com/pktstat/pktstat/internal/packet"
)

func cases(tb testing.TB) []corpus.Case {
	tb.Helper()
	all, err := corpus.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// dirty is what a reused record may hold.
func dirty() flow.Record {
	k := flow.Packed{
		L4: 1, Proto: 2, Family: 3, Dir: 4, L4Kind: 5, VLAN: 6, EtherType: 7,
		Ifindex: 8, NetNS: 9, OwnerID: 10,
	}
	for i := range k.Src {
		k.Src[i], k.Dst[i] = 0xaa, 0xbb
	}
	return flow.Record{Key: k, Counters: flow.Counters{Packets: 12, Bytes: 13, FrameBytes: 14}, First: 15, Last: 16}
}

func TestCorpus(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			var f packet.Frame
			c.Frame(&f)
			got := dirty()
			packet.Parse(&f, &got)
			want := c.Want
			want.First, want.Last = 15, 16
			if got != want {
				t.Errorf("rule %s\n% x\ngot  %+v %+v\nwant %+v %+v", c.Rule, c.Data,
					got.Key.Key(), got.Counters, want.Key.Key(), want.Counters)
			}
		})
	}
}
