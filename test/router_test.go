package test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// router is a host that sends nothing by itself, connected to others by its ports p0, p1 and so on.
type router struct {
	*testnet.Host
	t      *testing.T
	remote []*testnet.Iface // the other ends of the ports
}

func newRouter(t *testing.T, ports int) *router {
	t.Helper()
	r := quietHost(t)
	for i := range ports {
		other := quietHost(t)
		r.ip(fmt.Sprintf("link add p%d type veth peer name eth0 netns %s", i, other.NetNS()), fmt.Sprintf("link set p%d up", i))
		other.ip("link set eth0 up")
		r.remote = append(r.remote, other.iface("eth0"))
	}
	return r
}

func quietHost(t *testing.T) *router {
	t.Helper()
	r := &router{Host: testnet.NewHost(t), t: t}
	err := r.Do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// try runs ip(8) with arguments.
func (r *router) try(args string) error {
	r.t.Helper()
	cmd := r.Command(testenv.Tool(r.t, "ip", "iproute2"), strings.Fields(args)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := r.Run(cmd); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out.String())
	}
	return nil
}

func (r *router) ip(commands ...string) {
	r.t.Helper()
	for _, args := range commands {
		if err := r.try(args); err != nil {
			r.t.Fatal(err)
		}
	}
}

// iface returns an interface when it is up.
func (r *router) iface(name string) *testnet.Iface {
	r.t.Helper()
	var a *netlink.LinkAttrs
	eventually(r.t, name+" is not up", func() (bool, error) {
		l, err := r.Netlink().LinkByName(name)
		if err != nil {
			return false, err
		}
		a = l.Attrs()
		return a.Flags&net.FlagUp != 0 && (a.OperState == netlink.OperUp || a.OperState == netlink.OperUnknown), nil
	})
	return &testnet.Iface{Host: r.Host, Name: name, Index: a.Index, MAC: a.HardwareAddr, MTU: a.MTU}
}

// received waits until an interface has received a number of packets in total.
func received(t *testing.T, i *testnet.Iface, packets uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has not received %d packets", i, packets), func() (bool, error) {
		return i.Stats().RxPackets >= packets, nil
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, not string, done func() (bool, error)) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		ok, err := done()
		switch {
		case err != nil:
			t.Fatal(err)
		case ok:
			return
		case time.Now().After(end):
			t.Fatal(not)
		}
	}
}
