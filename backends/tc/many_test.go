package tc

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestManyInterfaces: auto attaches to many interfaces by clsact. It takes TCX on interfaces
// where programs of others would hide packets from a filter.
func TestManyInterfaces(t *testing.T) {
	testenv.Privileged(t)
	needsMethod(t, methodTCX)
	h := testnet.NewHost(t)
	var near, far []*testnet.Iface
	for range 3 {
		f, n := testnet.Connect(t, testnet.NewHost(t), h, testnet.Link{})
		near, far = append(near, n), append(far, f)
	}
	plain, besideTCX, besideFilter := near[0], near[1], near[2]
	newOther(t, besideTCX, link.Tail(), netlink.TC_ACT_OK)
	inside(t, h, func() { addForeign(t, besideFilter, flow.Ingress, 1) })
	few := livetest.OpenMatching(t, "tc", nil, h, "*")
	if a := few.Attachment(); a.Method != methodTCX {
		t.Errorf("few interfaces are attached to by %s", a.Method)
	}
	few.Close()
	for i := range fewInterfaces/2 + 1 {
		veth := netlink.NewVeth(netlink.LinkAttrs{Name: fmt.Sprint("more", i)})
		veth.PeerName = fmt.Sprint("peer", i)
		if err := h.Netlink().LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
	}
	for _, position := range []string{"first", "last"} {
		s := livetest.OpenMatching(t, "tc", []string{"-position=" + position}, h, "*", "!lo")
		notes := s.Attachment().Notes
		byTCX := fmt.Sprintf("tcx: %s, %s", besideTCX.Name, besideFilter.Name)
		if !slices.Contains(notes, noteFast) || !slices.Contains(notes, byTCX) {
			t.Errorf("%s: notes %q, want %q", position, notes, byTCX)
		}
		want(t, plain, []string{"clsact", "ingress 1 pktstat", "egress 1 pktstat"})
		for i := range near {
			sent := testnet.SendUDP(t, far[i], near[i], testnet.UDP{Count: 20, Payload: 50})
			expected := sent.Counters
			if position == "last" && near[i] == besideTCX { // whose program ends the chain
				expected = flow.Counters{}
			}
			if c := livetest.Sum(s.Records(), sent.Key); c != expected {
				t.Errorf("%s: on %s counted %+v, sent %+v", position, near[i].Name, c, sent.Counters)
			}
		}
		s.Close()
		want(t, plain, nil)
		want(t, besideFilter, []string{"clsact", "ingress 1 foreign"})
	}
	for _, method := range []string{methodTCX, methodClsact} {
		if a := livetest.OpenMatching(t, "tc", args(method), h, "*", "!"+besideFilter.Name).Attachment(); a.Method != method || strings.Contains(fmt.Sprint(a.Notes), noteFast) {
			t.Errorf("%s was asked for: attached by %s; %q", method, a.Method, a.Notes)
		}
	}
}
