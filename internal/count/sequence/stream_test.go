package sequence

import (
	"math/rand/v2"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

const (
	ack    = flow.TCPAck
	syn    = flow.TCPSyn
	synAck = flow.TCPSyn | flow.TCPAck
	fin    = flow.TCPFin | flow.TCPAck
	rst    = flow.TCPRst
)

type seg struct {
	seq, payload uint32
	flags        flow.TCPFlags
}

// TestSegment: what the last segment repeats.
func TestSegment(t *testing.T) {
	data := func(seq, payload uint32) seg { return seg{seq, payload, ack} }
	for name, tc := range map[string]struct {
		segments []seg
		want     Again
	}{
		"first":                          {[]seg{data(100, 10)}, Again{}},
		"next":                           {[]seg{data(100, 10), data(110, 10)}, Again{}},
		"the same":                       {[]seg{data(100, 10), data(100, 10)}, Again{true, 10}},
		"an earlier one":                 {[]seg{data(100, 10), data(110, 10), data(120, 10), data(100, 10)}, Again{true, 10}},
		"more than was seen":             {[]seg{data(100, 10), data(105, 20)}, Again{true, 5}},
		"around the wrap":                {[]seg{data(1<<32-5, 10), data(5, 10), data(1<<32-5, 10)}, Again{true, 10}},
		"overtaken":                      {[]seg{data(100, 10), data(120, 10), data(110, 10)}, Again{}},
		"overtaken, then the same":       {[]seg{data(100, 10), data(120, 10), data(110, 10), data(110, 10)}, Again{true, 10}},
		"two overtaken":                  {[]seg{data(100, 10), data(130, 10), data(120, 10), data(110, 10)}, Again{}},
		"a hole and what follows it":     {[]seg{data(100, 10), data(120, 10), data(110, 20)}, Again{}},
		"what precedes a hole, and it":   {[]seg{data(100, 10), data(120, 10), data(100, 20)}, Again{true, 10}},
		"overtaken around the wrap":      {[]seg{data(1<<32-20, 10), data(0, 10), data(1<<32-10, 10)}, Again{}},
		"the oldest of too many":         {[]seg{data(0, 10), data(20, 10), data(40, 10), data(60, 10), data(80, 10), data(100, 10), data(120, 10), data(10, 10)}, Again{true, 10}},
		"the newest of many":             {[]seg{data(0, 10), data(20, 10), data(40, 10), data(60, 10), data(80, 10), data(100, 10), data(120, 10), data(110, 10)}, Again{}},
		"keep-alive":                     {[]seg{data(100, 10), data(109, 1)}, Again{}},
		"after a probe of a zero window": {[]seg{data(100, 10), data(110, 1), data(110, 1), data(110, 10)}, Again{}},
		"SYN":                            {[]seg{{100, 0, syn}, {100, 0, syn}}, Again{true, 0}},
		"SYN and ACK":                    {[]seg{{100, 0, synAck}, {100, 0, synAck}}, Again{true, 0}},
		"data after SYN":                 {[]seg{{100, 0, syn}, data(101, 10)}, Again{}},
		"SYN with data":                  {[]seg{{100, 5, syn}, {100, 5, syn}}, Again{true, 5}},
		"SYN with data, then without":    {[]seg{{100, 5, syn}, {100, 0, syn}}, Again{true, 0}},
		"data of SYN":                    {[]seg{{100, 5, syn}, data(101, 5)}, Again{true, 5}},
		"SYN of another connection":      {[]seg{{100, 0, syn}, data(101, 10), {50, 0, syn}, data(51, 10)}, Again{}},
		"FIN":                            {[]seg{data(100, 10), {110, 0, fin}, {110, 0, fin}}, Again{true, 0}},
		"data and FIN":                   {[]seg{data(100, 10), {110, 10, fin}, {110, 10, fin}}, Again{true, 10}},
		"data again, with FIN":           {[]seg{data(100, 10), {100, 10, fin}}, Again{true, 10}},
		"another connection":             {[]seg{data(100, 10), data(100+2<<30, 10), data(100, 10)}, Again{}},
	} {
		var s Stream
		var got Again
		for _, g := range tc.segments {
			got = s.Segment(g.seq, g.payload, g.flags)
		}
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// TestSuperFrame: a super-frame counts the segments that it repeats.
func TestSuperFrame(t *testing.T) {
	for _, tc := range []struct {
		again             Again
		segments, payload uint64
		want              flow.Health
	}{
		{Again{}, 3, 3000, flow.Health{}},
		{Again{true, 2500}, 3, 2500, flow.Health{Retransmits: 3, RetransmitBytes: 2500}},
		{Again{true, 1000}, 3, 3000, flow.Health{Retransmits: 1, RetransmitBytes: 1000}},
		{Again{true, 1001}, 3, 3000, flow.Health{Retransmits: 2, RetransmitBytes: 1001}},
		{Again{true, 0}, 1, 0, flow.Health{Retransmits: 1}},
	} {
		if got := tc.again.Health(tc.segments, uint32(tc.payload)); got != tc.want {
			t.Errorf("%+v of %d segments: %+v, want %+v", tc.again, tc.segments, got, tc.want)
		}
	}
}

// TestModel: what a stream repeats is what a list of all bytes says, in any order that leaves no
// more holes than a stream remembers.
func TestModel(t *testing.T) {
	var again, overtaken int
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		const length = 4000
		start := rnd.Uint32() // many streams pass the wrap
		if seed%2 == 0 {
			start = -rnd.Uint32N(length)
		}
		var s Stream
		m := model{seen: make([]bool, length)}
		s.Segment(start, 1, ack)
		m.take(0, 1)
		for m.next < length-200 {
			payload := 2 + rnd.IntN(100)
			at := m.next
			switch kind := rnd.IntN(10); {
			case kind < 3 && m.next > 200:
				at -= rnd.IntN(200)
			case kind < 5 && m.holes() < maxHoles:
				at += rnd.IntN(100)
			}
			before := m.next
			want := m.take(at, payload)
			if got := s.Segment(start+uint32(at), uint32(payload), ack); got != want {
				t.Fatalf("seed %d: %d bytes at %d, next %d: %+v, want %+v", seed, payload, at, m.next, got, want)
			}
			switch {
			case want.Segment:
				again++
			case at < before-1:
				overtaken++
			}
		}
	}
	if again < 1000 || overtaken < 200 {
		t.Errorf("%d segments sent again, %d overtaken", again, overtaken)
	}
}

// model knows each byte.
type model struct {
	seen []bool
	next int
}

func (m *model) take(at, payload int) (a Again) {
	probe := at == m.next-1 // taken for data after a probe of a zero window
	begun := m.seen[at]
	for i := at; i < at+payload; i++ {
		if m.seen[i] && begun && !probe {
			a.Bytes++
		}
		m.seen[i] = true
	}
	a.Segment = a.Bytes > 0
	m.next = max(m.next, at+payload)
	return a
}

func (m *model) holes() (n int) {
	for i := 1; i < m.next; i++ {
		if m.seen[i-1] && !m.seen[i] {
			n++
		}
	}
	return n
}

// TestTracker: streams are found again while the tracker grows, and stay apart. A flood of SYN
// does not replace streams with data.
func TestTracker(t *testing.T) {
	tr := New()
	tr.max = 1 << 12
	rnd := rand.New(rand.NewPCG(3, 4))
	ids := make([]uint64, 500)
	for i := range ids {
		ids[i] = rnd.Uint64()
		tr.Segment(ids[i], packet.Segment{Seq: uint32(i), Payload: 10}, ack, 1, 0)
	}
	for i := range uint64(100_000) {
		tr.Segment(rnd.Uint64(), packet.Segment{Seq: uint32(i)}, syn, 1, int64(i)<<tickBits/10000)
	}
	if len(tr.streams) != tr.max {
		t.Errorf("%d places, want %d", len(tr.streams), tr.max)
	}
	for i, id := range ids {
		if h := tr.Segment(id, packet.Segment{Seq: uint32(i), Payload: 10}, ack, 1, 0); h != (flow.Health{Retransmits: 1, RetransmitBytes: 10}) {
			t.Fatalf("stream %d: %+v", i, h)
		}
	}
	if tr.Lost() != 0 || Note(tr.Lost()) != nil {
		t.Errorf("%d streams lost", tr.Lost())
	}
	for range 100_000 {
		tr.Segment(rnd.Uint64(), packet.Segment{Payload: 10}, ack, 1, 0)
	}
	if n := tr.Lost(); n == 0 || len(Note(n)) != 1 {
		t.Error("no stream of a flood was lost")
	}
}

// TestReset: RST counts, whatever it carries, and no other segment does.
func TestReset(t *testing.T) {
	tr := New()
	for _, c := range []struct {
		flags flow.TCPFlags
		want  flow.Health
	}{{ack, flow.Health{}}, {rst, flow.Health{Resets: 1}}, {rst | ack, flow.Health{Resets: 1}}, {ack, flow.Health{Retransmits: 1, RetransmitBytes: 9}}} {
		if got := tr.Segment(7, packet.Segment{Seq: 5, Payload: 9}, c.flags, 1, 0); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.flags, got, c.want)
		}
	}
}
