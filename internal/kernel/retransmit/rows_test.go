package retransmit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// testConnection is from 192.0.2.1:1000 to 192.0.2.2:80, of an IPv6 socket.
func testConnection() *connection {
	return &connection{
		LAddr: netip.MustParseAddr("::ffff:192.0.2.1").As16(), RAddr: netip.MustParseAddr("::ffff:192.0.2.2").As16(),
		LPort: 1000, RPort: 80, Family: 10, NetNS: 7,
	}
}

// testRecord is of a packet of the connection, with changes.
func testRecord(change func(*flow.Key)) flow.Record {
	k := flow.Key{
		Src: netip.MustParseAddrPort("192.0.2.1:1000"), Dst: netip.MustParseAddrPort("192.0.2.2:80"),
		Proto: flow.TCP, Dir: flow.Egress, Ifindex: 3,
	}
	change(&k)
	return flow.Record{Key: flow.Pack(k), Counters: flow.Counters{Packets: 1}}
}

// ending returns a batch whose window ends at a time.
func ending(at time.Time, records func([]flow.Record) error) *flow.Batch {
	b := flow.NewBatch(flow.BatchHooks{Records: records})
	b.Start = at
	b.WindowClosed(at)
	return b
}

func egress(k *flow.Packed) bool { return k.Dir == flow.Egress }

// TestMatch: retransmits are in one record of each place, and in no record of other flows.
func TestMatch(t *testing.T) {
	same := func(*flow.Key) {}
	for _, c := range []struct {
		name   string
		change []func(*flow.Key) // a record each
		want   []uint64
	}{
		{"one", []func(*flow.Key){same}, []uint64{5}},
		{"two CPUs", []func(*flow.Key){same, same}, []uint64{5, 0}},
		{"two interfaces", []func(*flow.Key){same, func(k *flow.Key) { k.Ifindex = 4 }}, []uint64{5, 5}},
		{"two VLANs", []func(*flow.Key){same, func(k *flow.Key) { k.VLAN = 4 }}, []uint64{5, 5}},
		{"received", []func(*flow.Key){func(k *flow.Key) { k.Dir = flow.Ingress }, same}, []uint64{0, 5}},
		{"the other way", []func(*flow.Key){func(k *flow.Key) { k.Src, k.Dst = k.Dst, k.Src }, same}, []uint64{0, 5}},
		{"another protocol", []func(*flow.Key){func(k *flow.Key) { k.Proto = flow.UDP }, same}, []uint64{0, 5}},
		{"another port", []func(*flow.Key){func(k *flow.Key) { k.Src = netip.AddrPortFrom(k.Src.Addr(), 1001) }, same}, []uint64{0, 5}},
		{"another address", []func(*flow.Key){func(k *flow.Key) { k.Dst = netip.MustParseAddrPort("192.0.2.3:80") }, same}, []uint64{0, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := rows{oneNetNS: true, sent: egress}
			now := time.Now()
			s.add(testConnection(), resent{2, 20}, now)
			s.add(testConnection(), resent{3, 30}, now)
			var rs []flow.Record
			for _, change := range c.change {
				rs = append(rs, testRecord(change))
			}
			for i := range rs { // in several chunks
				s.match(rs[i : i+1])
			}
			for i := range rs {
				if h := rs[i].Health; h.Retransmits != c.want[i] || h.RetransmitBytes != 10*c.want[i] {
					t.Errorf("record %d has %+v, want %d", i, h, c.want[i])
				}
				if (rs[i].RetransmitsBy == flow.RetransmitsKernel) != (c.want[i] != 0) {
					t.Errorf("record %d: retransmits by %q", i, rs[i].RetransmitsBy)
				}
			}
			s.end(ending(now, nil))
			again := []flow.Record{testRecord(same)}
			s.match(again)
			if again[0].Retransmits != 0 || len(s.waiting) != 0 {
				t.Errorf("once more: %+v, %d wait", again[0].Health, len(s.waiting))
			}
		})
	}
}

// TestLate: retransmits wait for their packet, but not for long.
func TestLate(t *testing.T) {
	begin := time.Now()
	for after, want := range map[time.Duration]uint64{lateFor - 1: 5, lateFor: 0} {
		s := rows{sent: egress}
		s.add(testConnection(), resent{5, 50}, begin)
		s.match([]flow.Record{testRecord(func(k *flow.Key) { k.NetNS = 8 })}) // another namespace
		s.end(ending(begin.Add(after), nil))
		late := []flow.Record{testRecord(func(k *flow.Key) { k.NetNS = 7 })}
		s.match(late)
		if late[0].Retransmits != want {
			t.Errorf("after %s: %+v, want %d", after, late[0].Health, want)
		}
	}
}

// TestTranslated: behind NAT, the only row of the socket has the retransmits.
func TestTranslated(t *testing.T) {
	translated := func(k *flow.Key) { k.NetNS, k.Src = 7, netip.MustParseAddrPort("198.51.100.1:5000") }
	again := func(k *flow.Key) { k.NetNS, k.Src = 7, netip.MustParseAddrPort("198.51.100.1:5001") }
	back := func(k *flow.Key) { translated(k); k.Dir = flow.Ingress }
	same := func(k *flow.Key) { k.NetNS = 7 }
	for _, c := range []struct {
		name   string
		alone  bool
		socket uint64            // in the records; the event has 9
		others []uint64          // sockets of other connections that have sent segments again
		change []func(*flow.Key) // a record each
		want   string            // source of the row with the retransmits
	}{
		{"translated", false, 9, nil, []func(*flow.Key){translated, translated}, "198.51.100.1:5000"},
		{"another socket", false, 8, nil, []func(*flow.Key){translated}, ""},
		{"another socket, alone", true, 8, nil, []func(*flow.Key){translated}, "192.0.2.1:1000"},
		{"received", false, 9, nil, []func(*flow.Key){back}, ""},
		{"two rows", false, 9, nil, []func(*flow.Key){translated, again}, ""},
		{"two rows, alone", true, 9, nil, []func(*flow.Key){translated, again}, "192.0.2.1:1000"},
		{"shared cookie", false, 9, []uint64{9}, []func(*flow.Key){translated}, ""},
		{"the addresses are better", false, 9, nil, []func(*flow.Key){translated, same}, "192.0.2.1:1000"},
		{"no cookie in the record", false, 0, nil, []func(*flow.Key){same}, "192.0.2.1:1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := rows{sockets: true, alone: c.alone, sent: egress}
			now := time.Now()
			connection := testConnection()
			connection.Socket = 9
			s.add(connection, resent{5, 50}, now)
			for i, o := range c.others {
				other := testConnection()
				other.Socket, other.LPort = o, uint16(2000+i)
				s.add(other, resent{1, 1}, now)
			}
			var got []flow.Record
			for _, change := range c.change {
				r := testRecord(change)
				r.Socket = c.socket
				got = append(got, r)
			}
			s.match(got)
			b := ending(now, func(rs []flow.Record) error { got = append(got, rs...); return nil })
			s.end(b)
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
			src := ""
			for i := range got {
				if h := got[i].Health; h != (flow.Health{}) {
					src += got[i].Key.Key().Src.String()
					if h.Retransmits != 5 || h.RetransmitBytes != 50 {
						t.Errorf("%+v", h)
					}
				}
			}
			if src != c.want {
				t.Errorf("in the row of %q, want %q", src, c.want)
			}
		})
	}
}
