package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNamespace runs f on a thread in a new network namespace. Both are gone when it returns.
func inNamespace(f func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread and the namespace end with the goroutine.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("create network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// wire is a veth pair in the thread's namespace.
type wire struct{ in, out int } // interface indexes: frames redirected to in arrive at out

// newWire creates the pair. Both ends are up when it returns.
func newWire() (wire, error) {
	const in, out = "in0", "out0"
	veth := netlink.NewVeth(netlink.LinkAttrs{Name: in})
	veth.PeerName = out
	if err := netlink.LinkAdd(veth); err != nil {
		return wire{}, fmt.Errorf("create veth pair: %w", err)
	}
	var w wire
	for name, index := range map[string]*int{in: &w.in, out: &w.out} {
		// Disable IPv6, so that only the benchmark sends frames.
		path := "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6"
		if err := os.WriteFile(path, []byte("1"), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
			return wire{}, fmt.Errorf("disable IPv6: %w", err)
		}
		link, err := netlink.LinkByName(name)
		if err != nil {
			return wire{}, fmt.Errorf("find %s: %w", name, err)
		}
		*index = link.Attrs().Index
		if err := netlink.LinkSetUp(link); err != nil {
			return wire{}, fmt.Errorf("set %s up: %w", name, err)
		}
		// veth accepts redirected frames only if the receiving end polls like hardware: with an XDP
		// program, or with GRO.
		if err := enableGRO(name); err != nil {
			return wire{}, fmt.Errorf("enable GRO on %s: %w", name, err)
		}
	}
	return w, w.wait()
}

// wait waits until both ends have a carrier.
func (w wire) wait() error {
	for range 500 {
		up := 0
		for _, index := range []int{w.in, w.out} {
			link, err := netlink.LinkByIndex(index)
			if err != nil {
				return fmt.Errorf("find interface %d: %w", index, err)
			}
			if link.Attrs().OperState == netlink.OperUp {
				up++
			}
		}
		if up == 2 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("veth pair: no carrier after 5 seconds")
}

// enableGRO does what `ethtool -K NAME gro on` does.
func enableGRO(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	value := struct{ cmd, data uint32 }{unix.ETHTOOL_SGRO, 1} // struct ethtool_value
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)} // struct ifreq
	copy(request.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}
