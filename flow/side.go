package flow

// Side is what a row has beside it: of rows with two ends, and of few others. It adds up
// like the counters, for the interval and for the run.
type Side struct {
	// Out counts what the local end of a pair has sent, or the host. The rest of the row came
	// in. Only rows for which [Dims.TwoSided] holds have it.
	Out Spans[Counters]
	// Health counts what went wrong in TCP.
	Health Spans[Health]
	SideMarks
}

// SideMarks are the properties of a row that do not add up and that few rows have.
type SideMarks struct {
	RetransmitsBy RetransmitsBy // the least sure way of the row's retransmits
	EndsBy        EndsBy        // how the local end is known
	// RTT is the shortest round-trip time of the row's TCP handshakes, in nanoseconds; 0: none
	// was seen.
	RTT   int64
	RTTBy RTTBy
}

// RTTBy is how a round-trip time is known.
type RTTBy uint8

// How round-trip times are known.
const (
	RTTUnset     RTTBy = iota
	RTTHandshake       // from SYN to the ACK that ends the handshake
	RTTRefused         // from SYN to the RST that answers it
	RTTSynAck          // from SYN and ACK to this ACK: the initiator's part of the way
)

// String returns the value of the field "rtt_by", "" if it is unset.
func (b RTTBy) String() string { return [...]string{"", "handshake", "refused", "syn_ack"}[b] }

// MergeRTT takes over another handshake: a whole one rather than a part, else the shorter one.
func (s *Side) MergeRTT(rtt int64, by RTTBy) {
	if rtt > 0 && (s.RTT == 0 || by < s.RTTBy || by == s.RTTBy && rtt < s.RTT) {
		s.RTT, s.RTTBy = rtt, by
	}
}

// EndInterval moves what the interval counted into the totals.
func (s *Side) EndInterval() {
	*s = s.Moved()
	s.Out.Delta, s.Health.Delta = Counters{}, Health{}
}

// Moved adds the counters of the interval to the counters of the run.
func (s Side) Moved() Side {
	s.Out.Total.Add(s.Out.Delta)
	s.Health.Total.Add(s.Health.Delta)
	return s
}

// Run returns the side with the counters of the run as the counters of the interval, too.
func (s Side) Run() Side {
	s.Out.Delta, s.Health.Delta = s.Out.Total, s.Health.Total
	return s
}

// Spans are the numbers of an interval and of the run up to its end.
type Spans[T any] struct{ Delta, Total T }

// Of returns the numbers of the run or of the interval.
func (s *Spans[T]) Of(run bool) T {
	if run {
		return s.Total
	}
	return s.Delta
}

// EndsBy is how it is known which end of a conversation is the local one.
type EndsBy uint8

// How the local end is known. Without the direction, it is the end that began.
const (
	EndsUnset     EndsBy = iota
	EndsDirection        // the interface or the socket sends what the local end sends
	EndsSYN              // it sent the first TCP segment with SYN
	EndsPort             // it has the higher port
	EndsOrder            // nothing is known: it has the lower address
)

// String returns the value of the field "ends_by", "" if it is unset.
func (b EndsBy) String() string {
	return [...]string{"", "direction", "syn", "port", "order"}[b]
}

// EndTitles names the two ends of the report's rows for people.
func (r *Report) EndTitles() (first, second string) {
	for i := range r.Sides {
		if r.Sides[i].EndsBy == EndsDirection {
			return "Local", "Remote"
		}
	}
	if len(r.Sides) == 0 {
		return "Local", "Remote"
	}
	return "Client", "Server"
}
