//go:build libpcap

package pcap

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcap"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

const (
	// liveSnapLen holds the headers. afpacket copies as much where IPv6 has extension
	// headers.
	liveSnapLen = 1024
	liveBuffer  = 16 << 20
	// liveRetire is how long libpcap may keep a packet in its buffer.
	liveRetire = 20 * time.Millisecond
)

// openLive opens a device of libpcap and starts counting.
func openLive(device string, env registry.BackendEnv) (registry.Source, error) {
	h, link, err := openDevice(device)
	if err != nil {
		return nil, err
	}
	var on []flow.Interface
	if i, err := net.InterfaceByName(device); err == nil { // libpcap has devices that are no interfaces
		on = []flow.Interface{{Index: uint32(i.Index), Name: i.Name}}
	}
	return startLive(device, on, h, link, env), nil
}

// tryLive opens a device like openLive, without counting.
func tryLive(device string) error {
	h, _, err := openDevice(device)
	if err != nil {
		return err
	}
	h.Close()
	return nil
}

func openDevice(device string) (*pcap.Handle, packet.LinkType, error) {
	h, err := activate(device)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", device, err)
	}
	link, err := chooseLink(h)
	if err != nil {
		h.Close()
		return nil, 0, fmt.Errorf("%s: %w", device, err)
	}
	return h, link, nil
}

// activate opens a device without promiscuous mode: pktstat counts the packets of this host.
func activate(device string) (h *pcap.Handle, err error) {
	in, err := pcap.NewInactiveHandle(device)
	if err != nil {
		return nil, explainLive(err.Error(), device)
	}
	defer in.CleanUp()
	snapLen := liveSnapLen
	if isNetfilter(device) {
		// libpcap reads several packets at once into the room for one.
		snapLen = maxCaptured
	}
	for _, set := range []error{
		in.SetSnapLen(snapLen), in.SetBufferSize(liveBuffer), in.SetTimeout(liveRetire),
	} {
		if set != nil {
			return nil, set
		}
	}
	h, err = in.Activate()
	if err == nil {
		return h, nil
	}
	why := err.Error()
	if detail := in.Error(); detail != nil && !strings.Contains(why, detail.Error()) {
		why += ": " + detail.Error()
	}
	return nil, explainLive(why, device)
}

func isNetfilter(device string) bool {
	return strings.HasPrefix(device, "nflog") || strings.HasPrefix(device, "nfqueue")
}

// explainLive finds the kind of a failure from libpcap's message.
func explainLive(why, device string) error {
	lower := strings.ToLower(why)
	switch {
	case strings.Contains(lower, "permi"): // permission denied, operation not permitted
		if isNetfilter(device) {
			return caps.Explain(fmt.Errorf("%w: %s", unix.EPERM, why), caps.NetAdmin)
		}
		return caps.Explain(fmt.Errorf("%w: %s", unix.EPERM, why), caps.NetRaw)
	case strings.Contains(lower, "no such device"):
		return fmt.Errorf("no such device: tcpdump -D lists those that libpcap knows (%w)", unix.ENODEV)
	}
	return errors.New(why)
}

// chooseLink sets a link type that the parser knows. It prefers the device's default.
func chooseLink(h *pcap.Handle) (packet.LinkType, error) {
	byDefault := h.LinkType()
	if l := linkOf(byDefault); l.Supported() {
		return l, nil
	}
	offered, err := h.ListDataLinks()
	if err != nil {
		return 0, fmt.Errorf("list the link types: %w", err)
	}
	for _, o := range offered {
		dlt := layers.LinkType(pcap.DatalinkNameToVal(o.Name))
		l := linkOf(dlt)
		if !l.Supported() {
			continue
		}
		if err := h.SetLinkType(dlt); err != nil {
			return 0, fmt.Errorf("link type %s: %w", o.Name, err)
		}
		return l, nil
	}
	return 0, fmt.Errorf("%w: %v: there are no network packets in it that can be read", registry.ErrUnsupported, linkOf(byDefault))
}

func linkOf(dlt layers.LinkType) packet.LinkType {
	l := packet.LinkType(dlt)
	switch l {
	case packet.LinkTypeIPv4, packet.LinkTypeIPv6:
		// nfqueue reports IPV4 for IPv6, too. The first bits of the packet decide.
		return packet.LinkTypeRaw
	}
	return l
}
