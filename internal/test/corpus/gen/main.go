// Command gen writes the capture files of testdata/packets. It builds frames only. The .json file
// beside each capture declares by hand how to count them.
//
// Usage, from the root of the repository:
//
//	go run ./internal/test/corpus/gen testdata/packets
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
)

// group is one capture file.
type group struct {
	name   string
	link   packet.LinkType
	frames []frame
}

// frame is one packet of a capture; the truth has the same name.
type frame struct {
	name    string
	data    []byte // as on the wire
	caplen  int    // captured bytes, if the packet is cut
	origLen int    // length on the wire, if data is not all of it
}

func (f *frame) cut() []byte {
	if f.caplen > 0 {
		return f.data[:f.caplen]
	}
	return f.data
}

func (f *frame) wire() int {
	if f.origLen > 0 {
		return f.origLen
	}
	return len(f.data)
}

func groups() []group {
	return []group{
		{"ethernet", packet.LinkTypeEthernet, ethernetFrames()},
		{"vlan", packet.LinkTypeEthernet, vlanFrames()},
		{"vlan-offload", packet.LinkTypeEthernet, vlanOffloadFrames()},
		{"pppoe", packet.LinkTypeEthernet, pppoeFrames()},
		{"mpls", packet.LinkTypeEthernet, mplsFrames()},
		{"before", packet.LinkTypeEthernet, beforeFrames()},
		{"arp", packet.LinkTypeEthernet, arpFrames()},
		{"ipv4", packet.LinkTypeEthernet, ipv4Frames()},
		{"ipv6", packet.LinkTypeEthernet, ipv6Frames()},
		{"ipv6-ext", packet.LinkTypeEthernet, extFrames()},
		{"transport", packet.LinkTypeEthernet, transportFrames()},
		{"tunnel", packet.LinkTypeEthernet, tunnelFrames()},
		{"snaplen", packet.LinkTypeEthernet, snaplenFrames()},
		{"gso", packet.LinkTypeEthernet, gsoFrames()},
		{"gso-raw", packet.LinkTypeRaw, gsoRawFrames()},
		{"raw", packet.LinkTypeRaw, rawFrames()},
		{"link-ipv4", packet.LinkTypeIPv4, linkIPv4Frames()},
		{"link-ipv6", packet.LinkTypeIPv6, linkIPv6Frames()},
		{"null", packet.LinkTypeNull, nullFrames()},
		{"loop", packet.LinkTypeLoop, loopFrames()},
		{"sll", packet.LinkTypeLinuxSLL, sllFrames()},
		{"sll2", packet.LinkTypeLinuxSLL2, sll2Frames()},
	}
}

// encode returns the capture file, with one packet a millisecond.
func (g *group) encode() ([]byte, error) {
	var b bytes.Buffer
	w, err := pcapfile.NewWriter(&b, g.link, 0)
	if err != nil {
		return nil, err
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range g.frames {
		if err := w.Write(pcapfile.Packet{Time: at, Data: f.cut(), OrigLen: f.wire()}); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		at = at.Add(time.Millisecond)
	}
	return b.Bytes(), nil
}

func run(dir string) error {
	for _, g := range groups() {
		b, err := g.encode()
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, g.name+".pcap"), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
