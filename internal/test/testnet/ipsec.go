package testnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// IPsec describes how ESP carries traffic between two hosts.
type IPsec struct {
	V6        bool
	Transport bool // transport mode; else tunnel mode
	InUDP     bool // ESP in UDP (RFC 3948)
	Interface bool // decrypted packets arrive on an xfrm interface
	Nested    bool // the tunnel is inside another tunnel
}

// Constants of include/uapi/linux/udp.h, and the port of RFC 3948.
const (
	udpEncap         = 100
	udpEncapESPInUDP = 2
	portESPInUDP     = 4500
)

// xfrmInterface is the interface's id (if_id), which selects its packets.
const xfrmInterface = 7

// Encrypt makes a send its packets to b by ESP. It returns the interface on which b sees the
// decrypted packets.
func Encrypt(tb testing.TB, a, b *Iface, how IPsec) (inner *Iface, err error) {
	tb.Helper()
	inner = b
	if how.Interface {
		if inner, err = b.addXfrmInterface(); err != nil {
			return nil, err
		}
	}
	if how.InUDP {
		if err := b.takeESPInUDP(tb); err != nil {
			return nil, err
		}
	}
	for _, end := range []*Iface{a, b} {
		if err := end.Do(func() error { return how.add(a, b, end == b) }); err != nil {
			return nil, fmt.Errorf("testnet: IPsec on %s: %w", end, err)
		}
	}
	return inner, nil
}

// add adds the security associations and the policy to a host.
func (how IPsec) add(a, b *Iface, receives bool) error {
	src, dst := a.addr(how.V6), b.addr(how.V6)
	policy := netlink.XfrmPolicy{
		Src: netlink.NewIPNet(src.AsSlice()), Dst: netlink.NewIPNet(dst.AsSlice()), Dir: netlink.XFRM_DIR_OUT,
		Priority: 2,
	}
	mode, ifid := netlink.XFRM_MODE_TUNNEL, 0
	if how.Transport {
		mode = netlink.XFRM_MODE_TRANSPORT
	}
	if receives {
		policy.Dir = netlink.XFRM_DIR_IN
		if how.Interface {
			ifid = xfrmInterface
		}
	}
	policy.Ifid = ifid
	spis := []int{0x1001}
	if how.Nested {
		spis = append(spis, 0x1002) // the outer one comes last
	}
	for _, spi := range spis {
		state := netlink.XfrmState{
			Src: src.AsSlice(), Dst: dst.AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: mode, Spi: spi, Reqid: spi, Ifid: ifid,
			// Without encryption: a kernel may have no other algorithm.
			Crypt: &netlink.XfrmStateAlgo{Name: "ecb(cipher_null)"},
			Auth:  &netlink.XfrmStateAlgo{Name: "hmac(sha256)", Key: make([]byte, 32)},
		}
		if how.InUDP {
			state.Encap = &netlink.XfrmStateEncap{Type: netlink.XFRM_ENCAP_ESPINUDP, SrcPort: portESPInUDP, DstPort: portESPInUDP}
		}
		if err := netlink.XfrmStateAdd(&state); err != nil {
			return fmt.Errorf("add state: %w", err)
		}
		tmpl := netlink.XfrmPolicyTmpl{
			Src: src.AsSlice(), Dst: dst.AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: mode, Reqid: spi,
		}
		if receives && how.Nested {
			tmpl.Optional = 1 // else Linux drops the inner packets of two tunnels (XfrmInTmplMismatch)
		}
		policy.Tmpls = append(policy.Tmpls, tmpl)
	}
	policies := []netlink.XfrmPolicy{policy}
	if how.InUDP { // only the outer tunnel
		policy.Tmpls, policy.Priority = nil, 1
		policy.Proto, policy.DstPort = unix.IPPROTO_UDP, portESPInUDP
		policies = append(policies, policy)
	}
	for i := range policies {
		if err := netlink.XfrmPolicyAdd(&policies[i]); err != nil {
			return fmt.Errorf("add policy: %w", err)
		}
	}
	return nil
}

// addXfrmInterface adds the xfrm interface on top of i.
func (i *Iface) addXfrmInterface() (*Iface, error) {
	x := &Iface{Host: i.Host, Name: "xfrm0", MTU: i.MTU}
	err := i.nl.LinkAdd(&netlink.Xfrmi{LinkAttrs: netlink.LinkAttrs{Name: x.Name, ParentIndex: i.Index}, Ifid: xfrmInterface})
	if err != nil {
		return nil, fmt.Errorf("testnet: add %s: %w", x, err)
	}
	if err := x.lookup(); err != nil {
		return nil, err
	}
	return x, i.nl.LinkSetUp(x.link)
}

// takeESPInUDP opens a socket that passes ESP in UDP to the kernel, as an IKE daemon does.
func (i *Iface) takeESPInUDP(tb testing.TB) error {
	return i.Do(func() error {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(i.IPv4, portESPInUDP)))
		if err != nil {
			return err
		}
		tb.Cleanup(func() { _ = conn.Close() })
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		var set error
		err = raw.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.SOL_UDP, udpEncap, udpEncapESPInUDP)
		})
		return errors.Join(err, set)
	})
}
