package reportjson

import (
	"bytes"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pktstat/pktstat/flow"
)

// encoder appends JSON to buf. The caller must nest correctly.
type encoder struct {
	buf    []byte
	pretty bool
	fields []field // that rows may have
	depth  int
	filled bool // the innermost object or array has an element

	seconds [64]second // by Unix time modulo their number
}

// second is a second as text: "2006-01-02T15:04:05".
type second struct {
	unix int64
	text []byte
}

// field is a field of rows with its cached key and test.
type field struct {
	*flow.Field
	open, close bool                 // it is the first or the last one of its object
	key         string               // `"src":`
	has         func(*flow.Row) bool // as [flow.Field.Has], with one call less; nil: always
}

func fieldsOf(dims flow.Dims, pretty bool) []field {
	end := `":`
	if pretty {
		end = `": `
	}
	written := flow.Fields.Written(dims)
	fields := make([]field, 0, len(written))
	add := func(f *flow.Field, name string) {
		has := f.Known
		if f.Sparse {
			has = f.Has
		}
		fields = append(fields, field{Field: f, key: `"` + name + end, has: has})
	}
	objects := map[string]bool{}
	for i, f := range written {
		switch {
		case f.Object == "":
			add(f, f.Name)
		case !objects[f.Object]: // all fields of the object, wherever they are in the table
			objects[f.Object] = true
			first := len(fields)
			for _, m := range written[i:] {
				if m.Object == f.Object {
					add(m, m.Member)
				}
			}
			fields[first].open, fields[len(fields)-1].close = true, true
		}
	}
	return fields
}

func (e *encoder) open(c byte) {
	e.buf = append(e.buf, c)
	e.depth++
	e.filled = false
}

func (e *encoder) close(c byte) {
	e.depth--
	if e.filled {
		e.newline()
	}
	e.buf = append(e.buf, c)
	e.filled = true // the closed one is an element of the one around it
}

// element starts the next element of an array.
func (e *encoder) element() *encoder {
	if e.filled {
		e.buf = append(e.buf, ',')
	}
	e.filled = true
	e.newline()
	return e
}

// key starts the next field of an object. The name needs no escaping.
func (e *encoder) key(name string) *encoder {
	e.element()
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
	if e.pretty {
		e.buf = append(e.buf, ' ')
	}
	return e
}

func (e *encoder) newline() {
	if !e.pretty {
		return
	}
	e.buf = append(e.buf, '\n')
	for range e.depth {
		e.buf = append(e.buf, ' ', ' ')
	}
}

func (e *encoder) strings(name string, values []string) {
	e.key(name).open('[')
	for _, v := range values {
		e.element().string(v)
	}
	e.close(']')
}

func (e *encoder) string(s string) { e.buf = appendString(e.buf, s) }
func (e *encoder) bool(v bool)     { e.buf = strconv.AppendBool(e.buf, v) }
func (e *encoder) uint(v uint64)   { e.buf = strconv.AppendUint(e.buf, v, 10) }
func (e *encoder) float(v float64) { e.buf = strconv.AppendFloat(e.buf, v, 'f', -1, 64) }

// time appends t as time.RFC3339Nano in UTC. It caches seconds, because many rows have the same
// one.
func (e *encoder) time(t time.Time) {
	unix := t.Unix()
	s := &e.seconds[uint64(unix)%uint64(len(e.seconds))]
	if s.unix != unix || s.text == nil {
		if s.text == nil {
			s.text = make([]byte, 0, len(time.RFC3339Nano))
		}
		s.unix, s.text = unix, t.UTC().AppendFormat(s.text[:0], time.RFC3339)
		s.text = s.text[:len(s.text)-len("Z")]
	}
	e.quote()
	e.buf = append(e.buf, s.text...)
	if n := t.Nanosecond(); n != 0 {
		dot := len(e.buf)
		e.buf = strconv.AppendUint(e.buf, 1e9+uint64(n), 10)
		e.buf[dot] = '.'
		e.buf = bytes.TrimRight(e.buf, "0")
	}
	e.buf = append(e.buf, 'Z', '"')
}

func (e *encoder) addr(a netip.Addr) {
	e.quote()
	e.buf = a.AppendTo(e.buf)
	e.quote()
}

func (e *encoder) hex16(v uint16) {
	e.quote()
	e.buf = flow.AppendHex16(e.buf, v)
	e.quote()
}

func (e *encoder) quote() { e.buf = append(e.buf, '"') }

// appendString appends s as a JSON string. It escapes more than RFC 8259 asks for, because users
// also view JSON on terminals: all control, format and other invisible characters. Invalid UTF-8
// becomes U+FFFD, as in encoding/json.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == utf8.RuneError && n == 1:
			b = append(b, `\ufffd`...)
		case strconv.IsPrint(r):
			b = append(b, s[:n]...)
		case r < 0x10000:
			b = appendUnicode(b, r)
		default: // a surrogate pair
			r -= 0x10000
			b = appendUnicode(b, 0xd800|r>>10)
			b = appendUnicode(b, 0xdc00|r&0x3ff)
		}
		s = s[n:]
	}
	return append(b, '"')
}

func appendUnicode(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
