package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"github.com/pktstat/pktstat/flow"
)

// truth is the declaration of a packet in a .json file. Its counters and flow have the names of the
// JSON report. A field that does not apply is absent.
type truth struct {
	Name string `json:"name"`
	Rule string `json:"rule"`

	TCI      *uint16 `json:"tci"`
	Segments int     `json:"segments"`
	TShark   string  `json:"tshark_differs"`

	Proto    string     `json:"proto"`
	Src      netip.Addr `json:"src"`
	SrcPort  uint16     `json:"src_port"`
	Dst      netip.Addr `json:"dst"`
	DstPort  uint16     `json:"dst_port"`
	TCPFlags string     `json:"tcp_flags"`
	ICMPType uint8      `json:"icmp_type"`
	ICMPCode uint8      `json:"icmp_code"`
	SPI      uint32     `json:"spi"`
	Subtype
	ARPOp     uint16 `json:"arp_op"`
	EtherType string `json:"ethertype"`
	VLAN      uint16 `json:"vlan"`

	Packets    uint64 `json:"packets"`
	Bytes      uint64 `json:"bytes"`
	FrameBytes uint64 `json:"frame_bytes"`
}

// Subtype is how JSON has [flow.Key.Subtype] of GRE, IGMP and OSPF. The fields of other protocols
// are absent.
type Subtype struct {
	GREProto    string `json:"gre_proto,omitempty"`
	GREFlags    string `json:"gre_flags,omitempty"`
	GREVersion  uint8  `json:"gre_version,omitempty"`
	IGMPType    uint8  `json:"igmp_type,omitempty"`
	OSPFVersion uint8  `json:"ospf_version,omitempty"`
	OSPFType    uint8  `json:"ospf_type,omitempty"`
}

// SubtypeOf returns the fields of a protocol.
func SubtypeOf(p flow.Proto, n uint32) (s Subtype) {
	switch p {
	case flow.GRE:
		head := uint16(n >> 16)
		s.GREProto, s.GREFlags, s.GREVersion = flow.EtherType(n).String(), fmt.Sprintf("%#04x", head&^7), uint8(head&7)
	case flow.IGMP:
		s.IGMPType = uint8(n)
	case flow.OSPF:
		s.OSPFVersion, s.OSPFType = uint8(n>>8), uint8(n)
	}
	return s
}

// Number returns the value of [flow.Key.Subtype].
func (s *Subtype) Number() (uint32, error) {
	n := uint32(s.GREVersion)<<16 | uint32(s.IGMPType) | uint32(s.OSPFVersion)<<8 | uint32(s.OSPFType)
	for shift, text := range map[int]string{0: s.GREProto, 16: s.GREFlags} {
		if text == "" {
			continue
		}
		v, err := number(text)
		if err != nil {
			return 0, fmt.Errorf("GRE: %w", err)
		}
		n |= uint32(v) << shift
	}
	return n, nil
}

func loadTruths(file string) ([]truth, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var truths []truth
	if err := dec.Decode(&truths); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return truths, nil
}

// record returns the declared flow and counters.
func (t *truth) record() (flow.Record, error) {
	k := flow.Key{
		Src:  netip.AddrPortFrom(t.Src, t.SrcPort),
		Dst:  netip.AddrPortFrom(t.Dst, t.DstPort),
		VLAN: t.VLAN,
	}
	switch t.Proto {
	case "ARP":
		k.EtherType = flow.EtherTypeARP
		k.Subtype = uint32(t.ARPOp)
	case "ETH":
		n, err := number(t.EtherType)
		if err != nil {
			return flow.Record{}, fmt.Errorf("ethertype: %w", err)
		}
		k.EtherType = flow.EtherType(n)
	default:
		p, err := protoByName(t.Proto)
		if err != nil {
			return flow.Record{}, err
		}
		k.Proto = p
		switch p {
		case flow.ICMP, flow.ICMPv6:
			k.Subtype = uint32(t.ICMPType)<<8 | uint32(t.ICMPCode)
		case flow.ESP, flow.AH:
			k.Subtype = t.SPI
		default:
			if k.Subtype, err = t.Subtype.Number(); err != nil {
				return flow.Record{}, err
			}
		}
	}
	flags, err := flagsByText(t.TCPFlags)
	if err != nil {
		return flow.Record{}, err
	}
	return flow.Record{
		Key: flow.Pack(k), Marks: flow.Marks{TCPFlags: flags},
		Counters: flow.Counters{Packets: t.Packets, Bytes: t.Bytes, FrameBytes: t.FrameBytes},
	}, nil
}

func number(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 0, 16)
	return uint16(n), err
}

func protoByName(s string) (flow.Proto, error) {
	for i := range 256 {
		if p := flow.Proto(i); p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown protocol %q", s)
}

func flagsByText(s string) (flow.TCPFlags, error) {
	for i := range 256 {
		if f := flow.TCPFlags(i); f.String() == s {
			return f, nil
		}
	}
	return 0, fmt.Errorf("unknown TCP flags %q", s)
}
