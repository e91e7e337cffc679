package livetest

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// IPsec checks the receiving host: the backend counts each packet of IPsec once. The report must
// state which packets the backend has seen twice.
func IPsec(t *testing.T, backend string, args ...string) {
	testenv.Privileged(t)
	for _, c := range []struct {
		name  string
		how   testnet.IPsec
		again int  // how often decrypted packets pass the hook, too
		gro   bool // GRO may decrypt packets before the hook
	}{
		{name: "tunnel", again: 1},
		{name: "tunnel over IPv6", how: testnet.IPsec{V6: true}, again: 1},
		{name: "tunnel in UDP", how: testnet.IPsec{InUDP: true}, again: 1},
		{name: "tunnel in a tunnel", how: testnet.IPsec{Nested: true}, again: 2},
		{name: "tunnel, decrypted in GRO", again: 1, gro: true},
		{name: "transport", how: testnet.IPsec{Transport: true}},
		{name: "xfrm interface", how: testnet.IPsec{Interface: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			var inner *testnet.Iface
			testenv.Feature(t, "ESP", "5.10", func() (err error) {
				inner, err = testnet.Encrypt(t, a, b, c.how)
				return err
			})
			if c.gro {
				if err := b.SetOffloads(true); err != nil { // not on a: GRO leaves packets alone that may be super-frames
					t.Fatal(err)
				}
			}
			on := []*testnet.Iface{b}
			if inner != b {
				on = append(on, inner)
			}
			s := Open(t, backend, args, on...)
			const n = 20
			sent := testnet.SendUDP(t, a, b, testnet.UDP{V6: c.how.V6, Payload: 100, Count: n})
			outer, decrypted := arrived(t, s.Records(), b, sent.Key)
			want := uint64(0)
			if inner != b {
				want = n // as packets of another interface
			}
			if c.gro && outer == 0 {
				outer, decrypted, c.again = decrypted, 0, 0
			}
			if outer != n || decrypted != want {
				t.Errorf("counted %d packets of ESP and %d decrypted ones, want %d and %d", outer, decrypted, n, want)
			}
			note := fmt.Sprintf("IPsec: %d packets passed again after decryption: they count once, encrypted", c.again*n)
			if got := slices.Contains(s.Attachment().Notes, note); got != (c.again > 0) {
				t.Errorf("notes %q", s.Attachment().Notes)
			}
		})
	}
}

// arrived adds up what arrived on b's host: the packets of a flow, and all others.
func arrived(t *testing.T, records []flow.Record, b *testnet.Iface, k flow.Key) (others, those uint64) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/run/netns/"+b.NetNS(), &st); err != nil {
		t.Fatal(err)
	}
	for i := range records {
		r := &records[i]
		if r.Key.Dir != flow.Ingress || r.Key.NetNS != 0 && uint64(r.Key.NetNS) != st.Ino {
			continue
		}
		got := r.Key.Key()
		if got.Src == k.Src && got.Dst == k.Dst && got.Proto == k.Proto || int(r.Key.Ifindex) != b.Index && r.Key.NetNS == 0 {
			those += r.Counters.Packets
		} else {
			others += r.Counters.Packets
		}
	}
	return others, those
}
