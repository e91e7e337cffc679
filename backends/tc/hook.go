package tc

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/netif/attach"
)

// How programs are attached.
const (
	methodAuto   = "auto" // TCX where the kernel has it
	methodTCX    = "tcx"
	methodClsact = "clsact"
)

// position is the place among the programs of others, which may end the chain.
type position bool

const (
	first position = false
	last  position = true
)

// attacher is TCX or clsact.
type attacher interface {
	// method is its name in the report.
	method() string
	// attach attaches a program. The note, if any, is for the report.
	attach(p *attach.Port, dir flow.Direction, prog *ebpf.Program) (now held.Attached, note string, err error)
	// close frees what all attachments share. It may be called twice.
	close() error
}

// choose returns the attacher for a method.
func choose(method string, at position, debugf func(string, ...any)) (attacher, error) {
	switch method {
	case methodTCX:
		return tcx{at}, nil
	case methodAuto:
		err := haveTCX()
		if err == nil {
			return tcx{at}, nil
		}
		debugf("attaching by clsact: %v", err)
	}
	return newClsact(at)
}

// hook attaches a program for each direction.
type hook struct {
	programs map[string]*ebpf.Program
	attacher attacher
	fast     *clsact // for many interfaces; nil: they are few, or the attacher is clsact
	debugf   func(string, ...any)
	attaches func(*attach.Port) // is called before it attaches; nil: there is none
}

var _ attach.Hook = (*hook)(nil)

// Attach implements [attach.Hook].
func (h *hook) Attach(p *attach.Port) (attach.Attached, error) {
	if h.attaches != nil {
		h.attaches(p)
	}
	foreign, err := removeStale(p.Index)
	if err != nil {
		return attach.Attached{}, err
	}
	if h.fast == nil {
		return h.attach(p, h.attacher)
	}
	if err = alone(p, foreign); err == nil {
		var a attach.Attached
		if a, err = h.attach(p, h.fast); err == nil {
			a.Notes = append(a.Notes, noteFast)
			return a, nil
		}
	}
	h.debugf("%s: attaching by %s: %v", p.Name, h.attacher.method(), err)
	return h.attach(p, h.attacher)
}

func (h *hook) attach(p *attach.Port, by attacher) (attach.Attached, error) {
	a := attach.Attached{Method: by.method()}
	var places []*held.Place
	a.Detach = func() error {
		var errs []error
		for _, at := range slices.Backward(places) {
			errs = append(errs, at.Detach())
		}
		return errors.Join(errs...)
	}
	for _, dir := range directions(p) {
		prog := h.programs[programName(dir, p.Raw)]
		var note string
		at, err := held.Attach(func() (now held.Attached, err error) {
			now, note, err = by.attach(p, dir, prog)
			return now, err
		})
		if err != nil {
			return a, errors.Join(fmt.Errorf("%s: %w", dir, err), a.Detach())
		}
		places = append(places, at)
		if note != "" {
			a.Notes = append(a.Notes, note)
		}
		a.Kept = append(a.Kept, attach.Kept{
			What: dir.String(), Held: at.Held,
			Again: func() (string, error) {
				err := at.Again()
				return note, err
			},
		})
	}
	return a, nil
}

// othersFirst is the note that programs of others see packets before ours.
func othersFirst(p *attach.Port, dir flow.Direction, what string) string {
	return fmt.Sprintf("%s %s: %s first, and what it takes is not counted", p.Name, dir, what)
}

// Close implements [attach.Hook].
func (h *hook) Close() error {
	err := h.attacher.close()
	if h.fast != nil {
		err = errors.Join(err, h.fast.close())
	}
	return err
}

// directions returns the directions to count on an interface. Every packet on lo passes egress
// and then ingress. So does each packet that stays inside of a VRF.
func directions(p *attach.Port) []flow.Direction {
	if p.Loopback || p.VRF {
		return []flow.Direction{flow.Ingress}
	}
	return []flow.Direction{flow.Ingress, flow.Egress}
}

// programName returns the name in bpf/tc.bpf.c; raw is for interfaces without a link header.
func programName(dir flow.Direction, raw bool) string {
	name := "tc_" + dir.String()
	if raw {
		name += "_raw"
	}
	return name
}
