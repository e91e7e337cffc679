package xdp

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

const ethernetLen = 14

// TestCorpus gives the programs every packet of the corpus that XDP can see, and compares the
// table with the truth.
func TestCorpus(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, kernel := range []string{"old", "new"} { // without and with packets in several parts
		t.Run(kernel, func(t *testing.T) {
			ethernet, raw := loadTables(t, kernel == "new")
			ran := 0
			for i := range cases {
				c := &cases[i]
				if !c.Whole() {
					continue
				}
				table, data := ethernet, c.Data
				if c.LinkType == packet.LinkTypeRaw {
					table, data = raw, append(make([]byte, ethernetLen), data...)
				}
				if len(data) < ethernetLen {
					continue // a test run refuses it
				}
				if kernel == "old" && len(data) > linearMTU() {
					continue // no driver gives it such a packet
				}
				t.Run(c.Name, func(t *testing.T) { runCase(t, c, table, data) })
				ran++
			}
			if ran < 50 {
				t.Errorf("only %d runs: is the corpus there?", ran)
			}
		})
	}
}

// runCase runs every program for the packet.
func runCase(t *testing.T, c *corpus.Case, table *bpfflow.Table, data []byte) {
	isRaw := c.LinkType == packet.LinkTypeRaw
	ran := uint64(0)
	for _, frags := range []bool{false, true} {
		prog, ok := table.Programs[programName(isRaw, frags)]
		if !ok {
			continue
		}
		if len(data) > linearMTU() && !frags {
			continue // no driver gives it such a packet
		}
		run(t, prog, data)
		ran++
	}
	if ran == 0 {
		t.Fatal("no program is for it")
	}
	want := c.Want
	want.Key.Dir, want.Key.Ifindex = flow.Ingress, 1
	want.Counters = flow.Counters{}
	for range ran {
		want.Counters.Add(c.Want.Counters)
	}
	got, other := collect(t, table)
	for i := range got {
		got[i].First, got[i].Last = 0, 0
	}
	if !other.IsZero() || !slices.Equal(got, []flow.Record{want}) {
		t.Errorf("got  %+v\nwant %+v\nother %+v", got, want, other)
	}
}

// TestLarge runs packets of up to 60 KB, with most bytes outside of the first part.
func TestLarge(t *testing.T) {
	testenv.Privileged(t)
	testenv.Feature(t, "XDP with packets in several parts", "5.18", haveFrags)
	table, _ := loadTables(t, true)
	for _, size := range []int{3000, 4096, 9014, 60_000} {
		frame := udp4(size)
		run(t, table.Programs[programName(false, true)], frame)
		run(t, table.Programs[programName(false, true)], append(frame, make([]byte, 500)...)) // a trailer
		want := flow.Counters{Packets: 2, Bytes: 2 * uint64(size-ethernetLen), FrameBytes: 2*uint64(size) + 500}
		got, _ := collect(t, table)
		if len(got) != 1 || got[0].Counters != want {
			t.Errorf("of %d bytes: got %+v, want %+v", size, got, want)
		}
	}
}

// run gives a packet to a program, which must let it pass.
func run(t *testing.T, prog *ebpf.Program, data []byte) {
	t.Helper()
	verdict, err := prog.Run(&ebpf.RunOptions{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if verdict != xdpPass {
		t.Fatalf("verdict %d: the traffic is changed", verdict)
	}
}

func collect(t *testing.T, table *bpfflow.Table) (records []flow.Record, other flow.Counters) {
	t.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs { // each CPU has a record of its own
			same := func(r flow.Record) bool { return r.Key == rs[i].Key }
			if at := slices.IndexFunc(records, same); at >= 0 {
				records[at].Counters.Add(rs[i].Counters)
			} else {
				records = append(records, rs[i])
			}
		}
		return nil
	}})
	if err := table.Collect(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return records, b.Overflow.Total()
}

// loadTables loads the programs for Ethernet frames, and the programs for packets without a link
// header. frags chooses between a kernel with packets in several parts and an older one.
func loadTables(t *testing.T, frags bool) (ethernet, raw *bpfflow.Table) {
	t.Helper()
	if frags {
		testenv.Feature(t, "XDP with packets in several parts", "5.18", haveFrags)
	}
	load := func(skip uint32) *bpfflow.Table {
		spec, err := loadXdp()
		if err != nil {
			t.Fatal(err)
		}
		o := bpfflow.Options{MaxFlows: 1, Now: time.Now, Constants: map[string]any{"raw_offset": skip}}
		prepare(spec, &o, frags)
		table, err := bpfflow.Load(spec, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := table.Close(); err != nil {
				t.Error(err)
			}
		})
		return table
	}
	return load(0), load(ethernetLen)
}

// udp4 returns a UDP datagram over IPv4 in a frame of n bytes.
func udp4(n int) []byte {
	b := make([]byte, n)
	binary.BigEndian.PutUint16(b[12:], uint16(flow.EtherTypeIPv4))
	ip := b[ethernetLen:]
	ip[0], ip[8], ip[9] = 0x45, 64, byte(flow.UDP)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{198, 18, 0, 1, 198, 18, 0, 2})
	binary.BigEndian.PutUint32(ip[20:], flow.Ports(40000, 9))
	return b
}
