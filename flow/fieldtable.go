package flow

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// FieldTable holds the fields of rows in the order of outputs. It is safe for concurrent use.
type FieldTable struct {
	mu     sync.RWMutex
	fields []*Field // replaced, never changed in place
	byName map[string]*Field
	dims   Dims // dimensions in use
	places int  // number of texts in [Labels]
	// numbers is the number of places in [Row.SetNumber].
	numbers int
}

// Fields are the fields of all rows: this package's own, and the fields of the labels and
// backends in the binary.
var Fields = newFieldTable(packetFields, ownerFields)

func newFieldTable(lists ...[]Field) *FieldTable {
	t := &FieldTable{byName: map[string]*Field{}, dims: DimsAll}
	for _, list := range lists {
		for i := range list {
			t.Register(list[i])
		}
	}
	return t
}

var validFieldName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Register adds a field and returns the table's copy. Labels call it through their registry. It
// panics on a malformed or taken name, and if no dimension is left: both are errors in how the
// binary was built.
func (t *FieldTable) Register(f Field) *Field {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		if !validFieldName.MatchString(name) || groupingOf(name) != nil {
			panic(fmt.Sprintf("flow: field name %q is not snake_case, or is a grouping", name))
		}
		if _, taken := t.byName[name]; taken {
			panic(fmt.Sprintf("flow: field %q is registered twice", name))
		}
		t.byName[name] = &f
	}
	if f.Groupable && f.Dim == 0 {
		n := bits.Len64(uint64(t.dims))
		if n == 64 {
			panic(fmt.Sprintf("flow: field %q: no dimension is left", f.Name))
		}
		f.Dim = 1 << n
		t.dims |= f.Dim
	}
	f.By |= f.Dim
	t.placeLabel(&f)
	fields := append(slices.Clone(t.fields), &f)
	slices.SortStableFunc(fields, func(a, b *Field) int { return int(a.Role) - int(b.Role) })
	t.fields = fields
	return &f
}

// placeLabel gives a label's field without accessor a place for its value.
func (t *FieldTable) placeLabel(f *Field) {
	switch {
	case f.Role != Label:
	case (f.Kind == Text || f.Kind == Word) && f.Text == nil:
		f.placed, f.place = true, t.places
		t.places++
		f.Text = func(r *Row) string { return r.Owner.Label(f) }
		f.Known = func(r *Row) bool { return f.Text(r) != "" }
	case (f.Kind == Uint || f.Kind == Bytes || f.Kind == Duration) && f.Num == nil:
		if t.numbers == mostNumbers {
			panic(fmt.Sprintf("flow: field %q: no place for a number is left", f.Name))
		}
		f.place = t.numbers
		t.numbers++
		f.Num = func(r *Row) uint64 { v, _ := r.number(f.place); return v }
		f.Known = func(r *Row) bool { _, known := r.number(f.place); return known }
	}
}

// All returns the fields in order. The caller must not change the slice.
func (t *FieldTable) All() []*Field {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.fields
}

// Written returns the fields that complete outputs write for rows grouped by dims.
func (t *FieldTable) Written(dims Dims) []*Field {
	all := t.All()
	fields := make([]*Field, 0, len(all))
	for _, f := range all {
		if !f.Derived && f.In(dims) {
			fields = append(fields, f)
		}
	}
	return fields
}

// Find returns the field with this name or alias, nil if there is none.
func (t *FieldTable) Find(name string) *Field {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byName[name]
}

// Names returns the names of the fields for which pass returns true.
func (t *FieldTable) Names(pass func(*Field) bool) []string {
	var names []string
	for _, f := range t.All() {
		if pass(f) {
			names = append(names, f.Name)
		}
	}
	return names
}

// ParseColumns reads a value of columns=: names and aliases joined by "+". An unknown name is an
// error.
func (t *FieldTable) ParseColumns(s string) ([]*Field, error) {
	var fields []*Field
	for name := range strings.SplitSeq(s, "+") {
		f := t.Find(strings.TrimSpace(name))
		if f == nil {
			return nil, fmt.Errorf("unknown column %q: there are %s", name, strings.Join(t.Names(func(*Field) bool { return true }), ", "))
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// dimNames returns the names of the dimensions in d, in order.
func (t *FieldTable) dimNames(d Dims) []string {
	return t.Names(func(f *Field) bool { return f.Dim != 0 && d&f.Dim != 0 })
}
