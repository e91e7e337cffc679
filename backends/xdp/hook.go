package xdp

import (
	"errors"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

// How programs are attached. All but auto are methods in the report.
const (
	modeAuto    = "auto" // native where the driver has it, else generic
	modeNative  = "native"
	modeGeneric = "generic"
	modeOffload = "offload"
)

var modeFlags = map[string]link.XDPAttachFlags{
	modeNative:  link.XDPDriverMode,
	modeGeneric: link.XDPGenericMode,
	modeOffload: link.XDPOffloadMode,
}

// hook attaches by links (since 5.9). They vanish with the process or the interface.
type hook struct {
	programs map[string]*ebpf.Program
	mode     string
	debugf   func(format string, args ...any)
}

var _ attach.Hook = (*hook)(nil)

// Close implements [attach.Hook].
func (*hook) Close() error { return nil }

// Attach implements [attach.Hook].
func (h *hook) Attach(p *attach.Port) (attach.Attached, error) {
	dev, err := netlink.LinkByIndex(int(p.Index))
	if err != nil {
		return attach.Attached{}, err
	}
	if h.mode != modeAuto {
		return h.attach(p, dev, h.mode)
	}
	a, err := h.attach(p, dev, modeNative)
	if err == nil || !errors.Is(err, registry.ErrUnsupported) {
		return a, err
	}
	h.debugf("%s: attaching by generic XDP: %v", p.Name, err)
	return h.attach(p, dev, modeGeneric)
}

func (h *hook) attach(p *attach.Port, dev netlink.Link, mode string) (attach.Attached, error) {
	if err := onMembers(dev, mode); err != nil {
		return attach.Attached{}, err
	}
	at, err := held.Attach(func() (held.Attached, error) {
		now, err := held.ByLink(h.link(p, mode))
		if err != nil {
			err = whyNot(err, dev, mode)
		}
		return now, err
	})
	if err != nil {
		return attach.Attached{}, err
	}
	a := attach.Attached{Method: mode, Detach: at.Detach}
	a.Kept = []attach.Kept{{Held: at.Held, Again: func() (string, error) { return "", at.Again() }}}
	a.PacketsInexact = seesSuperFrames(dev, mode)
	a.Notes = notes(dev, a.PacketsInexact)
	if mode == modeGeneric && hasTunnels() {
		a.Notes = append(a.Notes, noteTwice)
	}
	return a, nil
}

// link attaches the program for the mode. In the driver it first tries the program for packets in
// one part, which costs less. The driver refuses it with a large MTU, for example. In generic
// mode it tries the other program first: for the one-part program, the kernel would copy packets.
func (h *hook) link(p *attach.Port, mode string) (l link.Link, err error) {
	for _, frags := range [...]bool{mode == modeGeneric, mode != modeGeneric} {
		prog, ok := h.programs[programName(p.Raw, frags)]
		if !ok {
			continue
		}
		l, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: int(p.Index), Flags: modeFlags[mode]})
		if err == nil || isTaken(err) || mode == modeGeneric {
			break
		}
	}
	return l, err
}
