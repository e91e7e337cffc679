package afpacket

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
)

// decrypted recognises packets that packet sockets see twice. The kernel decrypts a packet
// of IPsec in tunnel mode, and hands the inner packet to the same interface
// (gro_cells_receive in xfrm_input). The inner packet keeps the time at which the kernel
// received the outer one.
type decrypted struct {
	packets *atomic.Uint64 // on all interfaces

	waiting map[stamp]struct{} // times of outer packets; nil: none so far
	last    []stamp            // the same, as a ring
	next    int
}

// stamp is when the kernel received a packet.
type stamp struct{ sec, nsec uint32 }

// maxWaiting is how many packets may wait to be decrypted.
const maxWaiting = 4096

// stamp makes the kernel record when it receives a packet. Otherwise the time is when the packet
// reaches the socket.
func (r *ring) stamp() error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("packet socket: SO_TIMESTAMPNS: %w", err)
	}
	return nil
}

// again reports whether an arriving packet has counted before it was decrypted.
func (d *decrypted) again(h *unix.Tpacket3Hdr, r *flow.Record) bool {
	outer := isIPsec(&r.Key)
	if !outer && d.waiting == nil || h.Status&unix.TP_STATUS_TS_SOFTWARE == 0 {
		return false
	}
	at := stamp{h.Sec, h.Nsec}
	_, found := d.waiting[at]
	if found {
		delete(d.waiting, at)
		d.packets.Add(r.Counters.Packets)
	}
	if outer {
		d.wait(at)
	}
	return found
}

func (d *decrypted) wait(at stamp) {
	if d.waiting == nil {
		d.waiting, d.last = map[stamp]struct{}{}, make([]stamp, maxWaiting)
	}
	delete(d.waiting, d.last[d.next])
	d.last[d.next] = at
	d.next = (d.next + 1) % maxWaiting
	d.waiting[at] = struct{}{}
}

// mayDecrypt reports whether the kernel has keys of IPsec. If pktstat may not ask, it looks
// whether a module is loaded: the kernel loads it with the first key.
func mayDecrypt() bool {
	states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
	if err == nil {
		return len(states) > 0
	}
	for _, module := range []string{"esp4", "esp6", "ah4", "ah6"} {
		if _, err := os.Stat("/sys/module/" + module); err == nil {
			return true
		}
	}
	return false
}

// isIPsec reports whether the packet is of ESP, AH, or ESP in UDP (RFC 3948).
func isIPsec(k *flow.Packed) bool {
	const portESPInUDP = 4500
	switch k.Proto {
	case flow.ESP, flow.AH:
		return true
	case flow.UDP:
		return k.L4&0xffff == portESPInUDP || k.L4>>16 == portESPInUDP
	}
	return false
}
