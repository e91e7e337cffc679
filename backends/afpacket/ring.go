package afpacket

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ring is a packet socket with a TPACKET_V3 ring (Documentation/networking/packet_mmap.rst):
// blocks of packets in memory that the kernel shares.
type ring struct {
	layout
	fd   int
	mem  []byte
	next int // the block to read next
}

// retireAfter is the time, in milliseconds, after which the kernel hands over a block that is not
// full.
const retireAfter = 40

// openRing returns a ring that is bound to no interface and takes no packets.
func openRing(l layout) (r *ring, err error) {
	// With protocol 0, the socket gets no packets yet.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	r = &ring{layout: l, fd: fd}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r = nil
		}
	}()
	if err := r.setInt("TPACKET_V3", unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return r, err
	}
	// The header describes the segments of a super-frame. The option must come before the
	// ring. (PACKET_VNET_HDR_SZ of Linux 6.5 adds nothing that matters here.)
	if err := r.setInt("PACKET_VNET_HDR", unix.PACKET_VNET_HDR, 1); err != nil {
		return r, err
	}
	if err := r.stamp(); err != nil {
		return r, err
	}
	if err := r.setFilter(takeNothing()); err != nil {
		return r, err
	}
	const frameSize = 2048 // version 3 ignores it, but checks it
	req := unix.TpacketReq3{
		Block_size: uint32(l.blockSize), Block_nr: uint32(l.blocks),
		Frame_size: frameSize, Frame_nr: uint32(l.blockSize / frameSize * l.blocks),
		Retire_blk_tov: retireAfter,
	}
	size := l.blockSize * l.blocks
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return r, fmt.Errorf("ring of %d KiB: %w", size>>10, err)
	}
	r.mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return r, fmt.Errorf("map a ring of %d KiB: %w", size>>10, err)
	}
	return r, nil
}

func (r *ring) setInt(name string, option, value int) error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, option, value); err != nil {
		return fmt.Errorf("packet socket: %s: %w", name, err)
	}
	return nil
}

// bind gives the ring all packets of an interface.
func (r *ring) bind(ifindex uint32) error {
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
	if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: int(ifindex)}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// setFilter replaces the filter, which also sets how much of a packet the kernel copies.
func (r *ring) setFilter(program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assemble the filter: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(raw)), Filter: (*unix.SockFilter)(unsafe.Pointer(&raw[0]))}
	if err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	return nil
}

// block returns the next block if the kernel has handed it over. The kernel writes the packets
// before the status (smp_wmb in prb_close_block). The load is an acquire, so the reader sees them.
func (r *ring) block() []byte {
	b := r.mem[r.next*r.blockSize:][:r.blockSize]
	if atomic.LoadUint32(blockStatus(b))&unix.TP_STATUS_USER == 0 {
		return nil
	}
	return b
}

// release gives the block back. The store is a release: the kernel writes to the block only
// after every load of its packets.
func (r *ring) release(b []byte) {
	atomic.StoreUint32(blockStatus(b), unix.TP_STATUS_KERNEL)
	r.next = (r.next + 1) % r.blocks
}

// Offsets of struct tpacket_block_desc in include/uapi/linux/if_packet.h.
const (
	blockStatusAt  = 8
	blockPacketsAt = 12
	blockFirstAt   = 16
)

func blockStatus(b []byte) *uint32 { return (*uint32)(unsafe.Pointer(&b[blockStatusAt])) }

// stats returns the packets that the kernel has put into the ring, and the packets that it
// dropped for lack of room. Both count from the previous call.
func (r *ring) stats() (stored, dropped uint64, err error) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0, fmt.Errorf("read the statistics of a ring: %w", err)
	}
	return uint64(s.Packets) - uint64(s.Drops), uint64(s.Drops), nil
}

// clearError clears the error that the interface is down, and reports whether there was one.
// While the socket has an error, poll returns at once.
func (r *ring) clearError() bool {
	e, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return err == nil && e != 0
}

func (r *ring) close() error {
	var errs []error
	if r.mem != nil {
		errs = append(errs, unix.Munmap(r.mem))
		r.mem = nil
	}
	if r.fd >= 0 {
		errs = append(errs, unix.Close(r.fd))
		r.fd = -1
	}
	return errors.Join(errs...)
}
