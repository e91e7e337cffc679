package process

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// socketFiles are the files of /proc/net that list sockets, with their protocols.
var socketFiles = []struct {
	name   string
	proto  flow.Proto // 0: the local "port" is the protocol (raw sockets)
	family uint16
}{
	{"tcp", flow.TCP, afINET}, {"tcp6", flow.TCP, afINET6},
	{"udp", flow.UDP, afINET}, {"udp6", flow.UDP, afINET6},
	{"udplite", flow.UDPLite, afINET}, {"udplite6", flow.UDPLite, afINET6},
	{"raw", 0, afINET}, {"raw6", 0, afINET6},
	{"icmp", flow.ICMP, afINET}, {"icmp6", flow.ICMPv6, afINET6},
}

func socketFileNames() []string {
	names := make([]string, len(socketFiles))
	for i := range socketFiles {
		names[i] = socketFiles[i].name
	}
	return names
}

// listSockets calls f with every socket in the files of a namespace. The events have no owner.
func listSockets(files map[string][]byte, netns uint32, f func(*event)) {
	for _, file := range socketFiles {
		lines := bufio.NewScanner(bytes.NewReader(files[file.name]))
		lines.Scan() // skip the heading
		for lines.Scan() {
			e := event{NetNS: netns, Proto: uint16(file.proto), Family: file.family, Kind: eventHeld}
			if e.parse(lines.Text()) {
				if file.proto == 0 {
					e.Proto, e.LPort = e.LPort, 0
				}
				f(&e)
			}
		}
	}
}

// parse reads a line of /proc/net/tcp and similar files (get_tcp4_sock in net/ipv4/tcp_ipv4.c): "sl
// local rem st tx:rx tr:tm retrnsmt uid timeout inode ...".
func (e *event) parse(line string) bool {
	w := strings.Fields(line)
	if len(w) < 10 {
		return false
	}
	state, err := strconv.ParseUint(w[3], 16, 8)
	if err != nil {
		return false
	}
	e.State = uint8(state)
	if e.Inode, err = strconv.ParseUint(w[9], 10, 64); err != nil {
		return false
	}
	return parseEnd(w[1], &e.LAddr, &e.LPort) && parseEnd(w[2], &e.RAddr, &e.RPort)
}

// parseEnd reads "0100007F:0035": 32-bit words in network order, printed as native numbers.
func parseEnd(s string, addr *[16]byte, port *uint16) bool {
	a, p, ok := strings.Cut(s, ":")
	if !ok || len(a) != 8 && len(a) != 32 {
		return false
	}
	n, err := hex.Decode(addr[:], []byte(a))
	if err != nil {
		return false
	}
	for i := 0; i < n; i += 4 {
		binary.NativeEndian.PutUint32(addr[i:], binary.BigEndian.Uint32(addr[i:]))
	}
	v, err := strconv.ParseUint(p, 16, 16)
	*port = uint16(v)
	return err == nil
}

// addresses are the addresses of a namespace.
type addresses struct {
	prefixes []netip.Prefix // IPv4 only, such as 127.0.0.0/8
	single   map[netip.Addr]bool
}

// addressFiles list the addresses of a namespace.
var addressFiles = []string{"fib_trie", "if_inet6"}

// parseAddresses reads the local routing table of IPv4, which includes broadcast addresses, and the
// addresses of IPv6.
func parseAddresses(files map[string][]byte) addresses {
	a := addresses{single: map[netip.Addr]bool{}}
	var leaf netip.Addr
	lines := bufio.NewScanner(bytes.NewReader(files["fib_trie"]))
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		switch {
		case len(w) == 2 && w[0] == "|--":
			leaf, _ = netip.ParseAddr(w[1]) // a zero address matches nothing below
		case len(w) == 3 && (w[2] == "LOCAL" || w[2] == "BROADCAST"): // "/32 host LOCAL"
			bits, err := strconv.Atoi(strings.TrimPrefix(w[0], "/"))
			if err != nil || !leaf.IsValid() {
				continue
			}
			if bits == 32 {
				a.single[leaf] = true
			} else {
				a.prefixes = append(a.prefixes, netip.PrefixFrom(leaf, bits))
			}
		}
	}
	lines = bufio.NewScanner(bytes.NewReader(files["if_inet6"]))
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) == 0 {
			continue
		}
		if b, err := hex.DecodeString(w[0]); err == nil && len(b) == 16 {
			a.single[netip.AddrFrom16([16]byte(b))] = true
		}
	}
	return a
}

func (a *addresses) contain(family flow.Family, b [16]byte) bool {
	addr := netip.AddrFrom16(b)
	if family == flow.FamilyIPv4 {
		addr = netip.AddrFrom4([4]byte(b[:4]))
	}
	if a.single[addr] || addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, p := range a.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
