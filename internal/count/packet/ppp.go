package packet

import "github.com/pktstat/pktstat/flow"

const (
	typeMPLS          flow.EtherType = 0x8847
	typeMPLSMulticast flow.EtherType = 0x8848
)

// etherTypeOfPPP returns the ethertype for a PPP protocol number (RFC 1332, RFC 5072, RFC 3032).
// It knows IPv4, IPv6 and MPLS.
func etherTypeOfPPP(proto uint16) (etherType flow.EtherType, ok bool) {
	switch proto {
	case 0x0021:
		return flow.EtherTypeIPv4, true
	case 0x0057:
		return flow.EtherTypeIPv6, true
	case 0x0281:
		return typeMPLS, true
	case 0x0283:
		return typeMPLSMulticast, true
	}
	return 0, false
}
