package flow

import "strings"

// Labels are the texts that labels add to an [Owner], such as service and user. Each label's
// field has a fixed index. Labels are comparable.
type Labels string

// labelEnd ends each text. It is removed from texts.
const labelEnd = "\x00"

// at returns the text at an index, "" if there is none.
func (l Labels) at(place int) string {
	s := string(l)
	for ; ; place-- {
		text, rest, more := strings.Cut(s, labelEnd)
		if place == 0 {
			return text
		}
		if !more {
			return ""
		}
		s = rest
	}
}

// with returns l with another text at an index.
func (l Labels) with(place int, text string) Labels {
	if l == "" && place == 0 && !strings.Contains(text, labelEnd) {
		return Labels(text) // no allocation: outputs call it for each row
	}
	var all []string
	if l != "" {
		all = strings.Split(string(l), labelEnd)
	}
	for len(all) <= place {
		all = append(all, "")
	}
	all[place] = strings.ReplaceAll(text, labelEnd, "")
	return Labels(strings.TrimRight(strings.Join(all, labelEnd), labelEnd))
}

// SetLabel sets the value of a label's field without accessor.
func (o *Owner) SetLabel(f *Field, text string) { o.Labels = o.Labels.with(f.place, text) }

// Label returns the value of a label's field without accessor.
func (o *Owner) Label(f *Field) string { return o.Labels.at(f.place) }

// Reduced returns the fields of the owner that rows grouped by the given fields have. A PID
// determines the name, the user and the cgroup; a cgroup determines the container.
func (o Owner) Reduced(by Dims) Owner {
	labels := o.Labels
	if labels != "" {
		for _, f := range Fields.All() {
			if f.placed && !f.In(by) {
				labels = labels.with(f.place, "")
			}
		}
	}
	if by.Has(DimPID) {
		o.Labels = labels
		return o
	}
	r := Owner{Labels: labels}
	if by.Has(DimComm) {
		r.Comm = o.Comm
	}
	if by.Has(DimCgroup) {
		r.CgroupID, r.Cgroup, r.Container = o.CgroupID, o.Cgroup, o.Container
	}
	if by.Has(DimContainer) {
		r.Container = o.Container
	}
	return r
}

// Identity returns the fields that distinguish two owners in rows grouped by the given fields.
// Other fields may change: a process may change its name.
func (o Owner) Identity(by Dims) Owner {
	var id Owner
	if by.Has(DimPID) {
		id.PID, id.Start = o.PID, o.Start
	}
	if by.Has(DimComm) {
		id.Comm = o.Comm
	}
	if by.Has(DimCgroup) {
		id.CgroupID = o.CgroupID
	}
	if by.Has(DimContainer) {
		id.Container = o.Container
	}
	if o.Labels != "" {
		for _, f := range Fields.All() {
			if f.placed && f.Dim != 0 && by.Has(f.Dim) {
				id.SetLabel(f, o.Label(f))
			}
		}
	}
	return id
}

// mostNumbers is how many fields with a number all labels have together.
const mostNumbers = 15

// numbers are the numbers that labels add to a row. Each label's field has a fixed index.
type numbers struct {
	known uint64 // bits by index
	of    [mostNumbers]uint64
}

// SetNumber sets the value of a label's field with a number and without accessor: of Kind Uint,
// Bytes or Duration. A label calls it for the rows that it gets.
func (r *Row) SetNumber(f *Field, v uint64) {
	if r.numbers == nil {
		r.numbers = &numbers{}
	}
	r.numbers.known |= 1 << f.place
	r.numbers.of[f.place] = v
}

// ClearNumbers makes a row used again for another one forget the numbers of labels.
func (r *Row) ClearNumbers() { r.numbers = nil }

// number returns the number at an index, and whether a label has set it.
func (r *Row) number(place int) (v uint64, known bool) {
	if r.numbers == nil {
		return 0, false
	}
	return r.numbers.of[place], r.numbers.known&(1<<place) != 0
}
