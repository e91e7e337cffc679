package service

import (
	"strconv"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// portKey is a port of a protocol.
type portKey struct {
	proto flow.Proto
	port  uint16
}

// names are services by port.
type names map[portKey]string

// protocols are the protocols in the list. UDP-Lite has UDP's ports (RFC 3828).
var protocols = map[string][]flow.Proto{
	"tcp": {flow.TCP}, "udp": {flow.UDP, flow.UDPLite}, "sctp": {flow.SCTP}, "dccp": {flow.DCCP},
}

// parse reads lines such as "https 443/tcp/udp", in the format of services(5). If a port has
// several names, the first one counts.
func parse(list string) names {
	all := make(names, 2*strings.Count(list, "\n"))
	for line := range strings.Lines(list) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		parts := strings.Split(rest, "/")
		port, err := strconv.ParseUint(parts[0], 10, 16)
		if err != nil {
			continue // a comment
		}
		for _, p := range parts[1:] {
			for _, proto := range protocols[p] {
				if k := (portKey{proto, uint16(port)}); all[k] == "" {
					all[k] = name
				}
			}
		}
	}
	return all
}
