package attach

import (
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/coverage"
	"github.com/pktstat/pktstat/internal/netif/device"
	"github.com/pktstat/pktstat/registry"
)

var _ registry.Covered = (*source)(nil)

// Coverage implements [registry.Covered]. It works after Close too.
func (s *source) Coverage() []flow.Coverage {
	if s.meter == nil {
		return nil
	}
	s.mu.Lock()
	gaps := s.keeper.Notes()
	s.mu.Unlock()
	return s.meter.Report(gaps)
}

// collect is Collect of the table between two readings of the interfaces' own counters.
func (s *source) collect(b *flow.Batch) error {
	if s.meter == nil {
		return s.table.Collect(b)
	}
	s.meter.Begin(b)
	err := s.table.Collect(b)
	if ferr := b.Flush(); err == nil {
		err = ferr // with all records
	}
	s.meter.End(b)
	return err
}

// measured attaches to a port and begins to compare it with the interface's own counters.
func (s *source) measured(p *Port) error {
	if s.meter == nil {
		return s.attach(p)
	}
	return s.meter.Add(p.Index, func() (coverage.Port, error) {
		err := s.attach(p)
		return coverage.Port{
			Interface: p.Interface, Directions: p.directions, Raw: p.Raw, Kind: p.kind,
			AfterXDP: s.Point != registry.PointXDP, Notes: p.attached.Notes,
		}, err
	})
}

// unmeasured detaches from a port and ends the comparison.
func (s *source) unmeasured(p *Port) error {
	if s.meter == nil {
		return p.detach()
	}
	var err error
	s.meter.Leave(p.Index, func() { err = p.detach() })
	return err
}

// compared returns the directions in which a hook sees all packets that the interface counts. The
// counters of a VRF have packets that pass no hook.
func compared(at registry.Point, l netlink.Link) []flow.Direction {
	k := device.Of(l)
	switch sight := k.Sees[at]; {
	case device.IsVRF(l) || sight > device.OneWay:
		return nil
	case sight == device.OneWay:
		return []flow.Direction{flow.Egress}
	case at == registry.PointXDP || l.Attrs().EncapType == "loopback":
		return []flow.Direction{flow.Ingress}
	}
	return []flow.Direction{flow.Ingress, flow.Egress}
}
