package tc

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

// clsact attaches filters to the clsact qdisc, beside the filters of others. Unlike links,
// filters outlive a process that is killed: see owner.
type clsact struct {
	owner    *owner
	changes  *changes
	position position
	made     map[uint32]uint64 // by interface: the last notice when this pktstat made its qdisc
}

var _ attacher = (*clsact)(nil)

func newClsact(at position) (*clsact, error) {
	ch, err := listen()
	if err != nil {
		return nil, err
	}
	o, err := newOwner()
	if err != nil {
		ch.close()
		return nil, err
	}
	return &clsact{owner: o, changes: ch, position: at, made: map[uint32]uint64{}}, nil
}

func (*clsact) method() string { return methodClsact }

func (c *clsact) close() error {
	c.changes.close()
	return c.owner.close()
}

// attach adds a filter that runs before all others, if possible, or after all existing ones.
func (c *clsact) attach(p *attach.Port, dir flow.Direction, prog *ebpf.Program) (now held.Attached, note string, err error) {
	since := c.changes.until()
	info, err := prog.Info()
	if err != nil {
		return now, "", err
	}
	program, _ := info.ID()
	created, err := c.qdisc(p.Interface)
	if err != nil {
		return now, "", err
	}
	f, err := c.add(p.Index, dir, prog, created)
	if err != nil {
		if created {
			err = errors.Join(err, dropQdisc(p.Index))
		}
		return now, "", err
	}
	if f.Priority > 1 {
		note = othersFirst(p, dir, "another tc filter comes")
	}
	now.Held = c.changes.held(f, program, since)
	now.Detach = func() error {
		delete(c.made, p.Index)
		found, err := removeFilter(f)
		if err != nil || !found && !c.changes.sameQdisc(p.Index, since) {
			return err // another program may have made this qdisc
		}
		return dropOwn(f)
	}
	return now, note, nil
}

// qdisc makes sure that the interface has the clsact qdisc, and reports whether this pktstat made it:
// now, or before another program deleted all filters.
func (c *clsact) qdisc(i flow.Interface) (created bool, err error) {
	created, err = addQdisc(i)
	if created {
		c.made[i.Index] = c.changes.until()
	} else if at, mine := c.made[i.Index]; mine && err == nil {
		created = c.changes.sameQdisc(i.Index, at)
	}
	return created, err
}

func (c *clsact) add(index uint32, dir flow.Direction, prog *ebpf.Program, created bool) (*netlink.BpfFilter, error) {
	all, err := filters(index)
	if err != nil {
		return nil, err
	}
	// A qdisc that a pktstat has created goes with the last filter of any pktstat.
	for _, f := range all {
		if name, ok := ownName(f); ok && name.created {
			created = true
		}
	}
	f := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: int(index), Parent: parent(dir), Protocol: unix.ETH_P_ALL,
			Priority: c.priority(all, parent(dir)), Handle: handle,
		},
		Fd: prog.FD(), Name: ownedName{c.owner.token, created}.String(), DirectAction: true,
	}
	for ; ; f.Handle++ {
		err := netlink.FilterAdd(f)
		if err == nil {
			return f, nil
		}
		// Another pktstat may have this handle.
		if !errors.Is(err, unix.EEXIST) || f.Handle == handle+maxHandles {
			return nil, fmt.Errorf("add filter: %w", err)
		}
	}
}

// The filters' handles are arbitrary; others use small numbers.
const (
	handle     = 0x706b0000
	maxHandles = 0xff
)

// parent is the handle of the qdisc's filters of a direction.
func parent(dir flow.Direction) uint32 {
	if dir == flow.Egress {
		return netlink.HANDLE_MIN_EGRESS
	}
	return netlink.HANDLE_MIN_INGRESS
}

// priority returns the first priority that our filter can have, or the first one after all
// others. BPF filters of one priority and protocol share it, and the newest one runs first.
func (c *clsact) priority(all []netlink.Filter, parent uint32) uint16 {
	if c.position == last {
		return priorityAfter(all, parent)
	}
	return firstPriority(all, parent)
}

func priorityAfter(all []netlink.Filter, parent uint32) uint16 {
	prio := uint16(1)
	for _, f := range all {
		if a := f.Attrs(); a.Parent == parent && a.Priority >= prio {
			prio = a.Priority
			if name, ok := ownName(f); !ok || !name.alive() {
				prio++
			}
		}
	}
	return prio
}

func firstPriority(all []netlink.Filter, parent uint32) uint16 {
	prio := uint16(1)
	for taken := true; taken; {
		taken = false
		for _, f := range all {
			a := f.Attrs()
			if a.Parent == parent && a.Priority == prio && (f.Type() != "bpf" || a.Protocol != unix.ETH_P_ALL) {
				taken = true
				prio++
				break
			}
		}
	}
	return prio
}

// filters returns the filters of an interface in both directions. It returns none if the
// interface or the qdisc does not exist.
func filters(index uint32) ([]netlink.Filter, error) {
	var all []netlink.Filter
	for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
		fs, err := netlink.FilterList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: int(index)}}, parent(dir))
		if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list filters: %w", err)
		}
		for _, f := range fs {
			if f.Attrs().Parent == parent(dir) {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// removeFilter removes a filter of ours, and reports whether it existed.
func removeFilter(own *netlink.BpfFilter) (found bool, err error) {
	all, err := filters(uint32(own.LinkIndex))
	if err != nil {
		return false, err
	}
	for _, f := range all {
		a := f.Attrs()
		// It compares the name, because others may have taken the handle since.
		if bpf, ok := f.(*netlink.BpfFilter); !ok || bpf.Name != own.Name || a.Parent != own.Parent {
			continue
		}
		if err := netlink.FilterDel(f); err != nil && !isGone(err) {
			return true, fmt.Errorf("remove filter: %w", err)
		}
		found = true
	}
	return found, nil
}

// dropOwn removes the qdisc if pktstat made it for a filter of ours and nothing needs it any
// more.
func dropOwn(own *netlink.BpfFilter) error {
	if name, ok := ownName(own); ok && name.created {
		return dropQdisc(uint32(own.LinkIndex))
	}
	return nil
}

// removeStale removes the filters that killed pktstats have left on an interface. It returns the
// filters of others.
func removeStale(index uint32) (foreign []netlink.Filter, err error) {
	all, err := filters(index)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		name, ok := ownName(f)
		if !ok {
			foreign = append(foreign, f)
		}
		if !ok || name.alive() {
			continue
		}
		own := f.(*netlink.BpfFilter)
		_, err := removeFilter(own)
		if err == nil {
			err = dropOwn(own)
		}
		if err != nil {
			return nil, fmt.Errorf("left by a pktstat that was killed: %w", err)
		}
	}
	return foreign, nil
}

// addQdisc creates the clsact qdisc unless it exists.
func addQdisc(i flow.Interface) (created bool, err error) {
	err = netlink.QdiscAdd(clsactQdisc(i.Index))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EEXIST):
		return false, onlyClsact(i)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP):
		return false, fmt.Errorf("%w: this kernel has no clsact qdisc (CONFIG_NET_SCH_INGRESS): %w", registry.ErrUnsupported, err)
	}
	return false, fmt.Errorf("add clsact qdisc: %w", err)
}

// onlyClsact refuses the older ingress qdisc, which takes the same place.
func onlyClsact(i flow.Interface) error {
	qdiscs, err := netlink.QdiscList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: int(i.Index)}})
	if err != nil {
		return fmt.Errorf("list qdiscs: %w", err)
	}
	for _, q := range qdiscs {
		if q.Type() == "ingress" {
			return ingressError(i.Name, haveTCX() == nil)
		}
	}
	return nil
}

// ingressError names the remedy for an ingress qdisc on this kernel.
func ingressError(name string, tcx bool) error {
	text := "there is an ingress qdisc, which excludes clsact: remove it (tc qdisc del dev " + name + " ingress)"
	if tcx {
		text += ", or use --tc-attach tcx"
	}
	return errors.New(text)
}

// dropQdisc removes the clsact qdisc if it is empty.
func dropQdisc(index uint32) error {
	all, err := filters(index)
	if err != nil || len(all) > 0 {
		return err
	}
	if err := netlink.QdiscDel(clsactQdisc(index)); err != nil && !isGone(err) {
		return fmt.Errorf("remove clsact qdisc: %w", err)
	}
	return nil
}

func clsactQdisc(index uint32) netlink.Qdisc {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: int(index), Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

// isGone reports whether the thing to remove does not exist.
func isGone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL)
}
