package flow

import "strings"

// Labels are the texts of an [Owner] that labels other than the process add: the
// service, the user. Each label's field has a place of its own. Labels are comparable.
type Labels string

// labelEnd ends the text of a place. Texts lose the character.
const labelEnd = "\x00"

// at returns the text in a place, "" if there is none.
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

// with returns l with another text in a place.
func (l Labels) with(place int, text string) Labels {
	if l == "" && place == 0 && !strings.Contains(text, labelEnd) {
		return Labels(text) // without memory of its own: views ask for each row
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

// SetLabel sets the value of a label's field that has no accessor of its own.
func (o *Owner) SetLabel(f *Field, text string) { o.Labels = o.Labels.with(f.place, text) }

// Label returns the value of a label's field that has no accessor of its own.
func (o *Owner) Label(f *Field) string { return o.Labels.at(f.place) }

// Reduced returns what is left of the owner in rows that are grouped by some fields:
// what they are grouped by and what follows from it. The process id tells the name, the
// user and the cgroup, and the cgroup tells the container.
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

// Identity is what tells two owners apart in rows that are grouped by some fields. The
// rest of an owner may change: a process may take another name.
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
