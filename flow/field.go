package flow

import (
	"net/netip"
	"strconv"
	"time"
)

// Field describes one column of a row: for every output, --by, --sort, columns= and
// the documents. One of its accessors is set, by its Kind.
type Field struct {
	Name    string   // "src_port", in JSON, CSV, options and filters; snake_case
	Aliases []string // other names that options take: "sport"
	Title   string   // "Source port", the head of a column
	Noun    string   // "source port": what a row is that is grouped by the field alone; "": "row"
	Help    string   // one line
	Role    Role
	Kind    Kind
	IPFIX   uint16 // information element (IANA IPFIX registry); 0: none

	// Dim is what --by NAME groups by; 0: rows cannot be grouped by the field. A label
	// that is registered with Groupable gets a bit of its own.
	Dim       Dims
	Groupable bool // of a label: --by takes it
	// By is what a row must be grouped by to have the field: any of it. 0: every row
	// may have it.
	By Dims
	// Applies refines By, for fields whose meaning depends on other dimensions. Rows that
	// are grouped by a label have it in any case. May be nil.
	Applies func(Dims) bool
	// Sparse: 0 is left out, in rows and sums. Of a measure that few rows have.
	Sparse bool
	// Detail: tables for people leave it out unless it is asked for.
	Detail bool
	// Derived: made of other fields, for people. Outputs that write every field leave it out.
	Derived bool

	// Known reports whether the row has the field, where By allows it: an absent value
	// is not a zero one. Nil: always.
	Known func(*Row) bool

	Num  func(*Row) uint64     // Uint, Hex16, Flags
	Text func(*Row) string     // Text, Word, Flags (the readable form)
	Addr func(*Row) netip.Addr // Addr
	Time func(*Row) time.Time  // Time
	Sum  func(*Totals) uint64  // Uint and Bytes of Role Measure: of rows and sums alike
	// Layer is whose bytes a measure counts; 0: it counts no bytes of packets.
	Layer Layer
	// Rate is what a rate is of, not yet divided by the report's duration: bytes for
	// BitRate, packets for PacketRate.
	Rate func(Layer, *Counters) uint64

	// Order gives the numbers that rows are ordered by, the smallest first. Nil: Num, Sum,
	// Rate or Text decide.
	Order []func(*PackedRow) uint64

	// placed: the text is one of Owner.Labels, which has it in place.
	placed bool
	place  int
}

// Role is what a field is for.
type Role uint8

// Roles, in the order in which outputs write fields.
const (
	Dimension Role = iota // read from packets; rows are grouped by it
	Measure               // adds up; sums have it
	Mark                  // neither adds up nor is grouped by: what a row's packets have in common
	Rate                  // a measure by the report's duration
	When                  // a time
	Label                 // known from outside the packets
)

// String returns the name of the role in `pktstat fields`.
func (r Role) String() string {
	return [...]string{"dimension", "measure", "mark", "rate", "time", "label"}[r]
}

// Kind is the type of a field's value.
type Kind uint8

// Kinds of values.
const (
	Uint       Kind = iota // a number
	Bytes                  // a number of bytes
	BitRate                // bits a second
	PacketRate             // packets a second
	Hex16                  // "0x88cc"
	Text                   // text that may come from outside: any byte
	Word                   // text of a fixed vocabulary
	Addr                   // an IP address
	Time                   // a point in time, UTC
	Flags                  // bits, shown as letters
)

// String returns the name of the kind in `pktstat fields`.
func (k Kind) String() string {
	return [...]string{"uint", "bytes", "bit_rate", "packet_rate", "hex16", "text", "word", "addr", "time", "flags"}[k]
}

// IsNumber reports whether values of the kind are numbers for people: aligned right,
// and the largest first.
func (k Kind) IsNumber() bool { return k <= PacketRate }

// Beside reports whether the field can stand beside rates of a layer: it counts no bytes,
// or those of that layer. Tables for people show the others only if they are asked for.
func (f *Field) Beside(rates Layer) bool {
	return f.Layer == 0 || f.Layer == max(rates, LayerIP)
}

// In reports whether rows that are grouped by dims may have the field.
func (f *Field) In(dims Dims) bool {
	if f.Groupable && dims&f.Dim != 0 {
		return true
	}
	return (f.By == 0 || dims&f.By != 0) && (f.Applies == nil || f.Applies(dims))
}

// Has reports whether the row has the field, where [Field.In] holds.
func (f *Field) Has(row *Row) bool {
	switch {
	case f.Sparse:
		return f.Uint(row) != 0
	case f.Known == nil:
		return true
	}
	return f.Known(row)
}

// Uint returns the value of a field that is a whole number.
func (f *Field) Uint(row *Row) uint64 {
	if f.Sum != nil {
		return f.Sum(&row.Totals)
	}
	return f.Num(row)
}

// PerSecond returns the value of a field of Role Rate over the report's duration.
func (f *Field) PerSecond(r *Report, c *Counters) float64 {
	v := float64(f.Rate(r.RateLayer, c))
	if f.Kind == BitRate {
		v *= 8 // here, because eight times the largest number of bytes is no uint64
	}
	return r.perSecond(v)
}

// Descending reports whether rows that are sorted by the field begin with the largest
// value: of what is counted, and of the time when a row was seen last.
func (f *Field) Descending() bool { return f.Role == Measure || f.Role == Rate || f.Name == "last" }

// AppendValue appends the value as text: decimal numbers without an exponent, times as
// RFC 3339. Text is appended as it is and may hold any byte.
func (f *Field) AppendValue(b []byte, r *Report, row *Row) []byte {
	switch f.Kind {
	case BitRate, PacketRate:
		return strconv.AppendFloat(b, f.PerSecond(r, &row.Counters), 'f', -1, 64)
	case Hex16:
		return AppendHex16(b, uint16(f.Num(row)))
	case Text, Word, Flags:
		return append(b, f.Text(row)...)
	case Addr:
		return f.Addr(row).AppendTo(b)
	case Time:
		if t := f.Time(row); !t.IsZero() {
			return t.UTC().AppendFormat(b, time.RFC3339Nano)
		}
		return b
	}
	return strconv.AppendUint(b, f.Uint(row), 10)
}

// AppendHex16 appends an ethertype or GRE protocol type as "0x88cc".
func AppendHex16(b []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, '0', 'x', digits[v>>12], digits[v>>8&0xf], digits[v>>4&0xf], digits[v&0xf])
}
