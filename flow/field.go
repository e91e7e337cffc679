package flow

import (
	"net/netip"
	"strconv"
	"time"
)

// Field describes one column of a row. Outputs, --by, --sort, columns= and the documents use it.
// Its Kind determines which accessor is set.
type Field struct {
	Name    string   // "src_port": its name in JSON, CSV, options and filters, in snake_case
	Aliases []string // other names that options take: "sport"
	Title   string   // "Source port": the title of its column
	Noun    string   // "source port": the name of a row grouped by this field alone; "": "row"
	Help    string   // one line
	Role    Role
	Kind    Kind
	// Object and Member place the field in JSON: {"out": {"packets": 1}}. Fields of one
	// object follow each other. "": Name alone.
	Object, Member string
	IPFIX          uint16 // information element (IANA IPFIX registry); 0: none

	// Dim is the bit that --by NAME sets. 0: rows cannot be grouped by the field.
	// [FieldTable.Register] gives a bit to each label with Groupable set.
	Dim       Dims
	Groupable bool // --by takes the label's name
	// By is the set of dimensions that give a row the field. One of them is enough. 0: every row
	// may have the field.
	By Dims
	// Applies refines By for fields whose meaning depends on other dimensions. Rows grouped by a
	// label have the field in any case. May be nil.
	Applies func(Dims) bool
	// Sparse: rows and sums leave out a 0. For a measure that few rows have.
	Sparse bool
	// Detail: tables for people show the field only on request.
	Detail bool
	// InInfo: the field "info" has the value in words. Tables for people show the field itself only
	// on request.
	InInfo bool
	// Derived: computed from other fields, for people. JSON, CSV and other complete outputs leave
	// it out.
	Derived bool

	// Known reports whether the row has a value, if By allows the field. It distinguishes a
	// missing value from 0. Nil: every row has one.
	Known func(*Row) bool

	Num  func(*Row) uint64     // Uint, Hex16, Flags
	Text func(*Row) string     // Text, Word, Flags (the readable form)
	Addr func(*Row) netip.Addr // Addr
	Time func(*Row) time.Time  // Time
	Sum  func(*Totals) uint64  // Uint and Bytes with Role Measure, for rows and sums
	// Layer is the layer of the bytes that a measure counts. 0: it counts no bytes.
	Layer Layer
	// Rate returns the number to divide by the report's duration: bytes for BitRate, packets for
	// PacketRate.
	Rate func(Layer, *Totals) uint64

	// Order returns the numbers that order the rows, ascending. Nil: rows are ordered by Num,
	// Sum, Rate or Text.
	Order []func(*PackedRow) uint64

	// placed: the text is in Owner.Labels, at index place. place is also the index of a label's
	// number.
	placed bool
	place  int
}

// Role is the purpose of a field.
type Role uint8

// Roles, in the order in which outputs write fields.
const (
	Dimension Role = iota // read from packets; rows are grouped by it
	Measure               // adds up; sums have it
	Mark                  // common to a row's packets; neither adds up nor groups
	Rate                  // a measure divided by the report's duration
	When                  // a time
	Label                 // from other sources than the packets
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
	BitRate                // bits per second
	PacketRate             // packets per second
	Hex16                  // "0x88cc"
	Text                   // text from outside; may hold any byte
	Word                   // text from a fixed list
	Addr                   // an IP address
	Time                   // a point in time, UTC
	Duration               // a time in seconds; Num returns nanoseconds
	Flags                  // bits, shown as letters
)

// String returns the name of the kind in `pktstat fields`.
func (k Kind) String() string {
	return [...]string{"uint", "bytes", "bit_rate", "packet_rate", "hex16", "text", "word", "addr", "time", "duration", "flags"}[k]
}

// IsNumber reports whether outputs for people show the values as numbers: right-aligned, and
// sorted from the largest.
func (k Kind) IsNumber() bool { return k <= PacketRate }

// Beside reports whether tables for people show the field next to rates of a layer. They leave
// out bytes of another layer.
func (f *Field) Beside(rates Layer) bool {
	return f.Layer == 0 || f.Layer == max(rates, LayerIP)
}

// In reports whether rows grouped by dims may have the field.
func (f *Field) In(dims Dims) bool {
	if f.Groupable && dims&f.Dim != 0 {
		return true
	}
	return (f.By == 0 || dims&f.By != 0) && (f.Applies == nil || f.Applies(dims))
}

// Has reports whether the row has a value, if [Field.In] holds.
func (f *Field) Has(row *Row) bool {
	switch {
	case f.Sparse:
		return f.Uint(row) != 0
	case f.Known == nil:
		return true
	}
	return f.Known(row)
}

// InSum reports whether a sum has the measure. What the ends have sent and received is not
// known of all sums.
func (f *Field) InSum(t *Totals) bool {
	switch {
	case f.Sum == nil || f.Sparse && f.Sum(t) == 0:
		return false
	case f.Undirected():
		return !t.Out.IsZero() || !t.In.IsZero()
	}
	return true
}

// Undirected reports whether only rows of both directions, of hosts or of service ports
// have the field.
func (f *Field) Undirected() bool {
	const undirected = DimEnds | DimEndPorts | DimHost | DimService
	return f.By != 0 && f.By&^undirected == 0
}

// Uint returns the value of a field with the accessor Num or Sum.
func (f *Field) Uint(row *Row) uint64 {
	if f.Sum != nil {
		return f.Sum(&row.Totals)
	}
	return f.Num(row)
}

// PerSecond returns the value of a field with Role Rate over the report's duration.
func (f *Field) PerSecond(r *Report, t *Totals) float64 {
	v := float64(f.Rate(r.RateLayer, t))
	if f.Kind == BitRate {
		v *= 8 // after the conversion: 8 times the byte counter may overflow a uint64
	}
	return r.perSecond(v)
}

// Descending reports whether rows sorted by the field begin with the largest value. This holds
// for measures, rates, the last time, and numbers in the details that are no ids.
func (f *Field) Descending() bool {
	return f.Role == Measure || f.Role == Rate || f.Kind == Duration || f.Name == "last" || f.Detail && f.Kind.IsNumber()
}

// AppendValue appends the value as text: decimal numbers without exponent, times in RFC 3339.
// Text may contain any byte and is not escaped.
func (f *Field) AppendValue(b []byte, r *Report, row *Row) []byte {
	switch f.Kind {
	case BitRate, PacketRate:
		return strconv.AppendFloat(b, f.PerSecond(r, &row.Totals), 'f', -1, 64)
	case Hex16:
		return AppendHex16(b, uint16(f.Num(row)))
	case Duration:
		return strconv.AppendFloat(b, Seconds(f.Num(row)), 'f', -1, 64)
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

// Seconds converts nanoseconds.
func Seconds(ns uint64) float64 { return float64(ns) / 1e9 }

// AppendHex16 appends an ethertype or GRE protocol type as "0x88cc".
func AppendHex16(b []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, '0', 'x', digits[v>>12], digits[v>>8&0xf], digits[v>>4&0xf], digits[v&0xf])
}
