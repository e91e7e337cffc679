package flow

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"
)

func TestSizes(t *testing.T) {
	// docs/accounting.md promises that a row takes two cache lines.
	if s := unsafe.Sizeof(Packed{}); s != 56 || unsafe.Alignof(Packed{}) != 8 {
		t.Errorf("Packed has %d bytes, want 56", s)
	}
	if s := unsafe.Sizeof(PackedRow{}); s != 128 {
		t.Errorf("PackedRow has %d bytes, want 128", s)
	}
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestPackRoundTrip(t *testing.T) {
	noPort := func(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 0) }
	for _, k := range []Key{
		{},
		{Src: ap("192.0.2.1:443"), Dst: ap("192.0.2.2:50000"), Proto: TCP, Dir: Ingress, Ifindex: 2, VLAN: 7},
		{Src: ap("[2001:db8::1]:1"), Dst: ap("[2001:db8::2]:65535"), Proto: UDP, Dir: Egress, NetNS: 4026531833, OwnerID: 1 << 30},
		{Src: ap("0.0.0.0:0"), Dst: ap("255.255.255.255:0"), Proto: TCP},
		{Src: noPort("192.0.2.1"), Dst: noPort("192.0.2.2"), Proto: ICMP, Subtype: 8 << 8},
		{Src: noPort("::ffff:192.0.2.1"), Dst: noPort("::"), Proto: ICMPv6, Subtype: 135 << 8},
		{Src: noPort("192.0.2.1"), Dst: noPort("192.0.2.2"), EtherType: EtherTypeARP, Subtype: 1},
		{Src: noPort("192.0.2.1"), Dst: noPort("192.0.2.2"), Proto: ESP, Subtype: 0xdeadbeef},
		{EtherType: 0x88cc, VLAN: 4095},
		{EtherType: EtherTypeRunt},
	} {
		p := Pack(k)
		if got := p.Key(); got != k {
			t.Errorf("%+v packs to %+v, which reads as %+v", k, p, got)
		}
		if Pack(p.Key()) != p {
			t.Errorf("%+v does not pack back", p)
		}
	}
}

// TestSetAddresses: SetIPv4 and SetIPv6 set the same bytes as Pack.
func TestSetAddresses(t *testing.T) {
	var p Packed
	for i := range p.Src {
		p.Src[i], p.Dst[i] = 0xff, 0xff // left over from an old record
	}
	p.SetIPv4([]byte{192, 0, 2, 1, 198, 51, 100, 2})
	want := Pack(Key{Src: ap("192.0.2.1:0"), Dst: ap("198.51.100.2:0"), Proto: TCP})
	if p.Src != want.Src || p.Dst != want.Dst || p.Family != want.Family {
		t.Errorf("SetIPv4: %+v, want %+v", p, want)
	}
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i + 1)
	}
	p.SetIPv6(b)
	if k := p.Key(); k.Src.Addr() != netip.AddrFrom16([16]byte(b[:16])) || k.Dst.Addr() != netip.AddrFrom16([16]byte(b[16:])) {
		t.Errorf("SetIPv6: %+v", k)
	}
}

// TestHash: every bit of a key, and the seed, changes the hash.
func TestHash(t *testing.T) {
	s := Seed{1, 2}
	var p Packed
	h0 := p.Hash(s)
	seen := map[uint64]int{h0: -1}
	for bit := range 448 {
		q := p
		q.words()[bit/64] ^= 1 << (bit % 64)
		h := q.Hash(s)
		if other, ok := seen[h]; ok {
			t.Errorf("bits %d and %d give the same hash", bit, other)
		}
		seen[h] = bit
	}
	if p.Hash(Seed{3, 4}) == h0 {
		t.Error("the seed does not change the hash")
	}
}

// TestHashSpread: sequential addresses and ports spread over an index about as evenly as random
// numbers.
func TestHashSpread(t *testing.T) {
	const n, places = 1 << 16, 1 << 16
	count := make([]int, places)
	rnd := rand.New(rand.NewPCG(5, 6))
	s := Seed{rnd.Uint64(), rnd.Uint64()}
	for i := range uint32(n) {
		var p Packed
		p.SetIPv4([]byte{10, 0, byte(i >> 8), byte(i), 192, 0, 2, 1})
		p.Proto, p.L4Kind, p.L4 = TCP, L4Ports, Ports(uint16(1024+i), 443)
		count[p.Hash(s)%places]++
	}
	empty := 0
	for _, c := range count {
		if c == 0 {
			empty++
		}
	}
	// With random hashes 1/e of the slots stay empty: 24,109 on average, standard deviation about
	// 80.
	if empty < 23_600 || empty > 24_600 {
		t.Errorf("%d of %d slots are empty, about 24,109 are expected", empty, places)
	}
}

func TestParseDims(t *testing.T) {
	for _, tt := range []struct{ in, out string }{
		{"flow", "flow"}, {"src", "src"}, {"dst, src", "src,dst"}, {"proto,dport", "proto,dst_port"}, {"flow,src", "flow"}, {"comm,flow", "flow,comm"}, {"container,pid", "pid,container"}, {"dport , source,dir", "src,dst_port,direction"},
	} {
		d, err := ParseDims(tt.in)
		if err != nil || d.String() != tt.out {
			t.Errorf("%q: %q, %v; want %q", tt.in, d, err, tt.out)
		}
	}
	for _, bad := range []string{"", "sauce", "src,", "src;dst", "packets", "uid", "icmp_type"} {
		if d, err := ParseDims(bad); err == nil {
			t.Errorf("%q was read as %v", bad, d)
		}
	}
}

func TestProjection(t *testing.T) {
	k := Key{Src: ap("192.0.2.1:443"), Dst: ap("192.0.2.2:50000"), Proto: TCP, Dir: Ingress, Ifindex: 2, VLAN: 7, NetNS: 9, OwnerID: 10}
	icmp := Key{Src: netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), 0), Dst: netip.AddrPortFrom(netip.MustParseAddr("2001:db8::2"), 0), Proto: ICMPv6, Subtype: 128 << 8}
	for _, tt := range []struct {
		by   string
		in   Key
		want Key
	}{
		{"flow", k, k},
		{"proto", k, Key{Proto: TCP}},
		{"proto", icmp, Key{Proto: ICMPv6}},
		{"dport", k, Key{Dst: netip.AddrPortFrom(netip.Addr{}, 50000)}},
		{"dport", icmp, Key{}},
		{"subtype,proto", icmp, Key{Proto: ICMPv6, Subtype: 128 << 8}},
		{"sport,subtype", k, Key{Src: netip.AddrPortFrom(netip.Addr{}, 443)}},
		{"vlan,iface,dir,netns,pid,cgroup", k, Key{Dir: Ingress, Ifindex: 2, VLAN: 7, NetNS: 9, OwnerID: 10}},
		{"container", k, Key{OwnerID: 10}},
		{"proto", Key{EtherType: 0x88cc}, Key{EtherType: 0x88cc}},
	} {
		d, err := ParseDims(tt.by)
		if err != nil {
			t.Fatal(err)
		}
		pr := d.Projection()
		p := Pack(tt.in)
		pr.Apply(&p)
		if got := p.Key(); got != tt.want {
			t.Errorf("by %s: %+v, want %+v", tt.by, got, tt.want)
		}
	}
	// Source only: IPv4 and IPv6 stay apart, the destination is gone.
	d, _ := ParseDims("src")
	pr := d.Projection()
	p := Pack(k)
	pr.Apply(&p)
	if got := p.Key(); got.Src.Addr() != k.Src.Addr() || got.Src.Port() != 0 || p.Dst != [16]byte{} {
		t.Errorf("by src: %+v", got)
	}
}

func TestTop(t *testing.T) {
	row := func(delta, total uint64) *PackedRow {
		return &PackedRow{Key: Packed{L4: uint32(total)}, Delta: Counters{Packets: delta}, Total: Counters{Packets: total}}
	}
	sent := func(delta, total uint64) Spans[Health] {
		return Spans[Health]{Delta: Health{Retransmits: delta}, Total: Health{Retransmits: total}}
	}
	r := &Report{Packed: []*PackedRow{row(5, 50), row(3, 30), row(2, 20)}, Sums: Sums{Total: Totals{Health: Health{Retransmits: 13}}, Rest: Totals{Counters: Counters{Packets: 1}, Health: Health{Retransmits: 2}}}, FlowCount: 4}
	r.Sides = []Side{{Health: sent(8, 80)}, {}, {Health: sent(3, 30)}}
	if r.Top(0) != r || r.Top(3) != r {
		t.Error("a report that needs no cut was copied")
	}
	cut := r.Top(1)
	if len(cut.Packed) != 1 || cut.Rest.Packets != 6 || cut.FlowCount != 4 || len(r.Packed) != 3 || r.Rest.Packets != 1 {
		t.Errorf("interval cut to %+v from %+v", cut, r)
	}
	if cut.Total.Retransmits != 13 || cut.Rest.Retransmits != 5 || r.Rest.Retransmits != 2 {
		t.Errorf("retransmits cut to %+v from %+v", cut.Sums, r.Sums)
	}
	r.Final = true
	if cut := r.Top(1); cut.Rest.Packets != 51 || cut.Rest.Retransmits != 32 {
		t.Errorf("final cut: %+v", cut)
	}
}

func TestRates(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	r := &Report{Start: at, End: at.Add(4 * time.Second), RateLayer: LayerFrame}
	c := Counters{Packets: 8, Bytes: 100, FrameBytes: 200}
	if r.BitRate(c) != 400 || r.PacketRate(c) != 2 {
		t.Errorf("%v bit/s, %v packets/s", r.BitRate(c), r.PacketRate(c))
	}
	r.RateLayer = LayerIP
	if r.BitRate(c) != 200 {
		t.Errorf("layer 3: %v bit/s", r.BitRate(c))
	}
	r.End = at
	if r.BitRate(c) != 0 {
		t.Error("a report without duration has a rate")
	}
}

func TestRows(t *testing.T) {
	k := Key{Src: ap("192.0.2.1:443"), Dst: ap("192.0.2.2:50000"), Proto: TCP, Ifindex: 3}
	r := &Report{
		Interfaces: []Interface{{2, "eth0"}, {3, "eth1"}},
		Packed:     []*PackedRow{{Key: Pack(k), Delta: Counters{Packets: 1}, Total: Counters{Packets: 7}, First: 5e9, Last: 6e9}},
	}
	for row := range r.Rows() {
		if row.Key != k || row.Iface != "eth1" || row.Packets != 1 || row.Run.Packets != 7 || row.First.Unix() != 5 || row.Last.Unix() != 6 {
			t.Errorf("interval row %+v", row)
		}
	}
	r.Final = true
	for row := range r.Rows() {
		if row.Packets != 7 {
			t.Errorf("final row %+v", row)
		}
	}
}

// TestBatch: the hook gets all records in order, in chunks, and none after an error.
func TestBatch(t *testing.T) {
	var got []int64
	b := NewBatch(BatchHooks{Records: func(recs []Record) error {
		for _, r := range recs {
			got = append(got, r.First)
		}
		return nil
	}})
	b.WindowClosed(time.Time{})
	for i := range 3*batchChunk + 5 {
		b.Add(Record{First: int64(i)})
	}
	if err := b.Flush(); err != nil || len(got) != 3*batchChunk+5 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	for i, v := range got {
		if v != int64(i) {
			t.Fatalf("record %d is %d", i, v)
		}
	}
	calls := 0
	b = NewBatch(BatchHooks{Records: func([]Record) error { calls++; return errBatch }})
	b.WindowClosed(time.Time{})
	for range 3 * batchChunk {
		b.Next()
	}
	if err := b.Flush(); err != errBatch || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestWatchAndStop: a source sees the records until it stops before the engine does, and can change
// them.
func TestWatchAndStop(t *testing.T) {
	var got []uint64
	b := NewBatch(BatchHooks{Records: func(recs []Record) error {
		for i := range recs {
			got = append(got, recs[i].Retransmits)
		}
		return nil
	}})
	b.WindowClosed(time.Now())
	b.Add(Record{})
	stop := b.Watch(BatchHooks{Records: func(recs []Record) error {
		for i := range recs {
			recs[i].Retransmits += 10
		}
		return nil
	}})
	const n = batchChunk + 1
	for range n {
		b.Add(Record{Health: Health{Retransmits: 1}})
	}
	stop()
	b.Next()
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Repeat([]uint64{11}, n), 0)
	if !slices.Equal(got, append([]uint64{0}, want...)) {
		t.Errorf("the records have %d retransmits", got)
	}
}

var errBatch = &time.ParseError{}

// TestWindowClosed: the hook runs before the records and knows the end. A source that breaks the
// rule gets an error, and its records are dropped.
func TestWindowClosed(t *testing.T) {
	end := time.Unix(7, 0)
	for name, tt := range map[string]struct {
		source func(b *Batch)
		calls  string // calls of the hooks
		want   error
	}{
		"records":            {func(b *Batch) { b.WindowClosed(end); b.Next(); b.Next() }, "closed 2", nil},
		"no record":          {func(b *Batch) { b.WindowClosed(end) }, "closed ", nil},
		"never":              {func(*Batch) {}, "", errNotClosed},
		"twice":              {func(b *Batch) { b.WindowClosed(end); b.Next(); b.WindowClosed(end) }, "closed ", errClosedTwice},
		"record first":       {func(b *Batch) { b.Next(); b.WindowClosed(end); b.Next() }, "closed ", errRecordFirst},
		"records, then none": {func(b *Batch) { b.Next() }, "", errRecordFirst},
		"a chunk first": {func(b *Batch) {
			for range batchChunk + 1 {
				b.Next()
			}
			b.WindowClosed(end)
		}, "closed ", errRecordFirst},
	} {
		t.Run(name, func(t *testing.T) {
			b, calls := NewBatch(BatchHooks{}), ""
			for range 2 { // Reset clears the batch
				calls = ""
				b.Reset(time.Unix(5, 0), BatchHooks{
					WindowClosed: func() { calls += "closed " },
					Records:      func(rs []Record) error { calls += strconv.Itoa(len(rs)); return nil },
				})
				if b.Start != time.Unix(5, 0) || !b.End.IsZero() || !b.Lost.IsZero() {
					t.Errorf("after Reset the batch is from %v to %v and has lost %+v", b.Start, b.End, b.Lost)
				}
				tt.source(b)
				b.Lost.Packets++
				if err := b.Flush(); !errors.Is(err, tt.want) || calls != tt.calls {
					t.Errorf("calls %q and error %v, want %q and %v", calls, err, tt.calls, tt.want)
				}
				if calls != "" && !b.End.Equal(end) {
					t.Errorf("the end is %v", b.End)
				}
			}
		})
	}
}
