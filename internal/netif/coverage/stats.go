package coverage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// counters are an interface's own: struct rtnl_link_stats64 of include/uapi/linux/if_link.h.
type counters struct {
	packets, bytes [2]uint64 // by side
	drops          [numDrops]uint64
}

// Places in rtnl_link_stats64, by side.
var (
	packetsAt = [2]int{0, 1}
	bytesAt   = [2]int{2, 3}
)

// drop is a counter of rtnl_link_stats64 that may explain a difference.
type drop struct {
	at   int
	side side
	name string
	what string
}

const numDrops = 9

var drops = [numDrops]drop{
	{6, rx, "rx_dropped", "dropped before or in the network stack"},
	{4, rx, "rx_errors", "broken"},
	{15, rx, "rx_missed_errors", "the network card had no room"},
	{23, rx, "rx_nohandler", "arrived on an inactive member"},
	{24, rx, "rx_otherhost_dropped", "for another host"},
	{7, tx, "tx_dropped", "dropped by the driver"},
	{5, tx, "tx_errors", "failed"},
	{16, tx, "tx_aborted_errors", "aborted"},
	{17, tx, "tx_carrier_errors", "no carrier"},
}

// reader reads the counters of interfaces in one network namespace.
type reader struct {
	sockets map[int]*nl.SocketHandle
	handle  *netlink.Handle
}

// newReader opens a socket in the network namespace of the calling thread.
func newReader() (*reader, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("read counters of interfaces: %w", err)
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("read counters of interfaces: %w", err)
	}
	return &reader{map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}, handle}, nil
}

func (r *reader) close() {
	r.sockets[unix.NETLINK_ROUTE].Socket.Close()
	r.handle.Close()
}

// fewReads is the number of interfaces up to which one request for each is faster than one for all.
const fewReads = 8

// read returns the counters by index. Interfaces that have vanished are absent.
func (r *reader) read(indexes []uint32) (map[uint32]counters, error) {
	all := make(map[uint32]counters, len(indexes))
	if len(indexes) > fewReads {
		return all, r.request(0, unix.NLM_F_DUMP, all)
	}
	for _, index := range indexes {
		err := r.request(index, 0, all)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return all, err
		}
	}
	return all, nil
}

// ifStats is struct if_stats_msg.
type ifStats struct {
	Family  uint8
	_       [3]uint8
	Ifindex uint32
	Filter  uint32
}

const ifStatsLen = int(unsafe.Sizeof(ifStats{}))

func (m *ifStats) Len() int { return ifStatsLen }

func (m *ifStats) Serialize() []byte {
	b := make([]byte, ifStatsLen)
	binary.NativeEndian.PutUint32(b[4:], m.Ifindex)
	binary.NativeEndian.PutUint32(b[8:], m.Filter)
	return b
}

// request asks for the counters alone (RTM_GETSTATS, since Linux 4.7).
func (r *reader) request(index uint32, flags int, into map[uint32]counters) error {
	req := nl.NewNetlinkRequest(unix.RTM_GETSTATS, flags)
	req.Sockets = r.sockets
	req.AddData(&ifStats{Ifindex: index, Filter: 1 << (unix.IFLA_STATS_LINK_64 - 1)})
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWSTATS)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("read counters of interfaces: %w", err)
	}
	for _, a := range answers {
		if len(a) < ifStatsLen {
			continue
		}
		attrs, err := nl.ParseRouteAttr(a[ifStatsLen:])
		if err != nil {
			return fmt.Errorf("read counters of interfaces: %w", err)
		}
		for _, attr := range attrs {
			if attr.Attr.Type == unix.IFLA_STATS_LINK_64 {
				into[binary.NativeEndian.Uint32(a[4:])] = decode(attr.Value)
			}
		}
	}
	return nil
}

// decode reads rtnl_link_stats64. Older kernels have fewer fields.
func decode(b []byte) (c counters) {
	at := func(i int) uint64 {
		if 8*i+8 > len(b) {
			return 0
		}
		return binary.NativeEndian.Uint64(b[8*i:])
	}
	for s := range c.packets {
		c.packets[s], c.bytes[s] = at(packetsAt[s]), at(bytesAt[s])
	}
	for i := range drops {
		c.drops[i] = at(drops[i].at)
	}
	return c
}

// queueDrops are packets that tc dropped, by what dropped them, and those that wait in the queue.
type queueDrops struct{ queue, filters, waiting uint64 }

// queues returns how many packets tc has dropped between its hooks and the drivers, by index.
func (r *reader) queues() (map[uint32]queueDrops, error) {
	qdiscs, err := r.handle.QdiscList(nil)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list qdiscs: %w", err)
	}
	all := map[uint32]queueDrops{}
	for _, q := range qdiscs {
		a := q.Attrs()
		if a.Statistics == nil || a.Statistics.Queue == nil {
			continue
		}
		d := all[uint32(a.LinkIndex)]
		switch a.Parent {
		case netlink.HANDLE_ROOT: // it has the sum of its classes
			d.queue += uint64(a.Statistics.Queue.Drops)
			d.waiting += uint64(a.Statistics.Queue.Qlen)
		case netlink.HANDLE_CLSACT:
			d.filters += uint64(a.Statistics.Queue.Drops)
		}
		all[uint32(a.LinkIndex)] = d
	}
	return all, nil
}

// hasXDP reports whether an XDP program is attached to an interface.
func (r *reader) hasXDP(index uint32) bool {
	l, err := r.handle.LinkByIndex(int(index))
	return err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached
}
