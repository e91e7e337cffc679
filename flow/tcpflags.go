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

// State returns the state of a connection by the flags of all its packets: "syn" until an
// answer arrives, "established", "fin" or "reset". Without flags it is "".
func (f TCPFlags) State() string {
	switch {
	case f == 0:
		return ""
	case f&TCPRst != 0:
		return "reset"
	case f&TCPFin != 0:
		return "fin"
	case f&TCPSyn != 0 && f&TCPAck == 0:
		return "syn"
	}
	return "established"
}

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
