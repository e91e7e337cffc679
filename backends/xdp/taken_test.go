package xdp

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestTakenOff: pktstat attaches again what another program takes off, in the same mode, without
// a Collect.
func TestTakenOff(t *testing.T) {
	testenv.Privileged(t)
	takings := map[string]func(*testing.T, link.Link) error{
		"link detached": func(_ *testing.T, l link.Link) error { return l.Detach() },
		"link updated":  func(t *testing.T, l link.Link) error { return l.Update(newPass(t)) },
	}
	for _, mode := range modes {
		for name, take := range takings {
			t.Run(mode+" "+name, func(t *testing.T) {
				a, b := testnet.Pair(t, testnet.Link{})
				s := livetest.Open(t, "xdp", args(mode), b)
				before := s.Attachment()
				exact(t, s, a, b, 50)
				takeOff(t, b, take)
				s.WaitNote("another program detached pktstat from " + b.Name + ": attached again, up to ")
				exact(t, s, a, b, 51)
				if said := s.Said(); len(said) != 1 || !strings.Contains(said[0], "from "+b.Name+": attached again, up to ") {
					t.Errorf("said %q", said)
				}
				if now := s.Attachment(); now.Method != before.Method || len(now.Notes) != len(before.Notes)+1 {
					t.Errorf("attached %+v, before %+v", now, before)
				}
			})
		}
	}
}

// TestTakenOffForGood: a line and a note report that another program has the place.
func TestTakenOffForGood(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "xdp", args(modeGeneric), b)
	exact(t, s, a, b, 50)
	var theirs link.Link
	defer func() { _ = theirs.Close() }()
	pass := newPass(t)
	// The source may attach first: then take it off again.
	for theirs == nil {
		takeOff(t, b, func(_ *testing.T, l link.Link) error { return l.Detach() })
		_ = b.Do(func() (err error) {
			theirs, err = link.AttachXDP(link.XDPOptions{Program: pass, Interface: b.Index, Flags: link.XDPGenericMode})
			return err
		})
	}
	s.WaitSaid("another program detached pktstat from " + b.Name + ": counted up to now: cannot attach again: XDP is taken by")
	s.WaitNote(b.Name + ": counted up to ")
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	s.WaitSaid(b.Name + ": attached again, up to ")
	exact(t, s, a, b, 51)
}

func takeOff(t *testing.T, on *testnet.Iface, take func(*testing.T, link.Link) error) {
	t.Helper()
	livetest.Links(t, func(l link.Link, info *link.Info) error {
		if xdp := info.XDP(); xdp == nil || xdp.Ifindex != uint32(on.Index) {
			return nil
		}
		return take(t, l)
	})
}

func exact(t *testing.T, s *livetest.Source, from, to *testnet.Iface, payload int) {
	t.Helper()
	sent := testnet.SendUDP(t, from, to, testnet.UDP{Count: 20, Payload: payload})
	if c := livetest.Sum(s.Records(), sent.Key); c != sent.Counters {
		t.Errorf("counted %+v, sent %+v", c, sent.Counters)
	}
}

// newPass is a program of others that passes every packet on.
func newPass(t *testing.T) *ebpf.Program {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	return prog
}
