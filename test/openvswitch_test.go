package test

import (
	"slices"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestStackedSwitch: the internal port of an Open vSwitch datapath shows packets that cross the
// other ports a second time.
func TestStackedSwitch(t *testing.T) {
	testenv.Privileged(t)
	r := newRouter(t, 1)
	testenv.Feature(t, "Open vSwitch", "3.3", func() error { return r.Do(func() error { return openSwitch("br0", "p0") }) })
	r.ip("link set br0 up")
	br, far := r.iface("br0"), r.remote[0]
	for _, backend := range []string{"tc", "afpacket"} {
		p := start(t, nil, "--netns", r.NetNS(), "-b", backend, "-i", "br0", "-i", "p0", "-t", "0", "-j")
		p.counting()
		before, out := br.Stats().RxPackets, far.Stats().RxPackets
		far.SendFrames(6, far.Ethernet(br.MAC, 0x88b5, make([]byte, 46)))
		received(t, br, before+6)
		br.SendFrames(4, br.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46)))
		received(t, far, out+4)
		p.signal(syscall.SIGTERM)
		got := finalOf(t, p)
		checkStack(t, got.stacked(), map[string]string{"br0": "p0", "p0": ""})
		if got.LinkTotal == nil || got.LinkTotal.Packets != 10 || got.Total.Packets != 20 {
			t.Errorf("%s: total %+v, link total %+v", backend, got.Total, got.LinkTotal)
		}
		at := map[string]uint64{}
		for _, f := range got.Flows {
			at[f.Iface+" "+f.Direction] += f.Packets
		}
		if at["br0 ingress"] != 6 || at["br0 egress"] != 4 {
			t.Errorf("%s: %v", backend, at)
		}
	}
}

// openSwitch makes a datapath (include/uapi/linux/openvswitch.h) with two ports, one of them
// internal. Each port gets what arrives at the other. As in Open vSwitch, the master of all ports
// that are not internal is another internal port.
func openSwitch(internal, port string) error {
	const (
		newOne = 1 // OVS_DP_CMD_NEW, OVS_VPORT_CMD_NEW, OVS_FLOW_CMD_NEW

		dpName, dpUpcall                 = 1, 2
		portType, portName, portUpcall   = 2, 3, 5
		typeNetdev, typeInternal         = 1, 2
		flowKey, flowActions, flowMask   = 1, 2, 7
		keyInPort, keyEthernet, outputTo = 3, 4, 1
		ethernetLen                      = 12
		master                           = "system"
	)
	none := nl.Uint32Attr(0)
	err := openvswitch("ovs_datapath", newOne, 0, nl.NewRtAttr(dpName, nl.ZeroTerminated(master)), nl.NewRtAttr(dpUpcall, none))
	if err != nil {
		return err
	}
	l, err := netlink.LinkByName(master)
	if err != nil {
		return err
	}
	dp := l.Attrs().Index
	ports := []struct {
		name string
		kind uint32
	}{{internal, typeInternal}, {port, typeNetdev}} // number 1 and 2
	for _, p := range ports {
		err := openvswitch("ovs_vport", newOne, dp, nl.NewRtAttr(portType, nl.Uint32Attr(p.kind)),
			nl.NewRtAttr(portName, nl.ZeroTerminated(p.name)), nl.NewRtAttr(portUpcall, none))
		if err != nil {
			return err
		}
	}
	nest := func(kind int, of ...*nl.RtAttr) *nl.RtAttr {
		a := nl.NewRtAttr(kind, nil)
		for _, o := range of {
			a.AddChild(o)
		}
		return a
	}
	from := func(kind int, port uint32) *nl.RtAttr {
		return nest(kind, nl.NewRtAttr(keyInPort, nl.Uint32Attr(port)), nl.NewRtAttr(keyEthernet, make([]byte, ethernetLen)))
	}
	for _, way := range [][2]uint32{{1, 2}, {2, 1}} {
		err := openvswitch("ovs_flow", newOne, dp, from(flowKey, way[0]), from(flowMask, ^uint32(0)),
			nest(flowActions, nl.NewRtAttr(outputTo, nl.Uint32Attr(way[1]))))
		if err != nil {
			return err
		}
	}
	return nil
}

// openvswitch sends a request of an Open vSwitch family about a datapath.
func openvswitch(family string, command uint8, dp int, attrs ...*nl.RtAttr) error {
	f, err := netlink.GenlFamilyGet(family)
	if err != nil {
		return err
	}
	r := nl.NewNetlinkRequest(int(f.ID), unix.NLM_F_ACK)
	r.AddData(ovsHeader{nl.Genlmsg{Command: command, Version: uint8(f.Version)}, dp})
	for _, a := range attrs {
		r.AddData(a)
	}
	_, err = r.Execute(unix.NETLINK_GENERIC, 0)
	return err
}

// ovsHeader is a generic netlink header with a struct ovs_header after it.
type ovsHeader struct {
	genl nl.Genlmsg
	dp   int
}

func (h ovsHeader) Len() int { return len(h.Serialize()) }

func (h ovsHeader) Serialize() []byte {
	return slices.Concat(h.genl.Serialize(), nl.Uint32Attr(uint32(h.dp)))
}
