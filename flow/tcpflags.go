package flow

// TCPFlags are the control bits of TCP headers: byte 13 of the header (RFC 9293, 3.1).
type TCPFlags uint8

// Flags of TCP.
const (
	TCPFin TCPFlags = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce // RFC 3168
	TCPCwr
)

// String returns a letter for each flag, in the usual order of a connection: "SAF" are SYN, ACK
// and FIN.
func (f TCPFlags) String() string { return tcpFlagNames[f] }

// tcpFlagNames holds the text of every set of flags, as a report may have a million rows.
var tcpFlagNames = func() (names [256]string) {
	for set := range names {
		for _, x := range [...]struct {
			flag   TCPFlags
			letter string
		}{{TCPSyn, "S"}, {TCPAck, "A"}, {TCPPsh, "P"}, {TCPFin, "F"}, {TCPRst, "R"}, {TCPUrg, "U"}, {TCPEce, "E"}, {TCPCwr, "C"}} {
			if TCPFlags(set)&x.flag != 0 {
				names[set] += x.letter
			}
		}
	}
	return names
}()
