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

// names are the services by their ports.
type names map[portKey]string

// protocols are those that services are listed with. UDP-Lite has UDP's ports (RFC 3828).
var protocols = map[string][]flow.Proto{
	"tcp": {flow.TCP}, "udp": {flow.UDP, flow.UDPLite}, "sctp": {flow.SCTP}, "dccp": {flow.DCCP},
}

// parse reads lines like "https 443/tcp/udp", as services(5) has them. The first name of
// a port counts.
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
