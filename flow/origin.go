package flow

import "strings"

// Origin describes the machine and the command of a run. It is the same in all reports of the
// run.
type Origin struct {
	Host    string   // name of the machine on which pktstat ran
	Kernel  string   // release of its kernel, as uname -r prints it
	Version string   // of pktstat
	Args    []string // the command line without the program's name
	Note    string   // the user's own text
}

// CommandLine returns the command line for a POSIX shell, "" if it is unknown.
func (o *Origin) CommandLine() string {
	if o.Args == nil {
		return ""
	}
	words := []string{"pktstat"}
	for _, arg := range o.Args {
		words = append(words, quoted(arg))
	}
	return strings.Join(words, " ")
}

// quoted puts a word into single quotes unless a shell leaves it as it is. It uses no backslash,
// because outputs escape backslashes.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'"
}

// SourceKind is the kind of a report's source.
type SourceKind string

// Kinds of sources.
const (
	SourceAll        SourceKind = "" // all traffic of the machine, or no interface yet; there are no names
	SourceInterfaces SourceKind = "interfaces"
	SourceFiles      SourceKind = "files"   // captures
	SourceCgroups    SourceKind = "cgroups" // control groups
)

// SourceKinds are the kinds of sources that have names.
var SourceKinds = []SourceKind{SourceInterfaces, SourceFiles, SourceCgroups}

// Source returns the kind and the names of the source: captures, control groups or interfaces.
func (r *Report) Source() (SourceKind, []string) {
	switch {
	case len(r.Files) > 0:
		return SourceFiles, r.Files
	case len(r.Cgroups) > 0:
		return SourceCgroups, r.Cgroups
	case len(r.Interfaces) > 0:
		names := make([]string, len(r.Interfaces))
		for i := range r.Interfaces {
			names[i] = r.Interfaces[i].Name
		}
		return SourceInterfaces, names
	}
	return SourceAll, nil
}

// DefaultSort is the name of the field that rows are ordered by unless the user names one.
const DefaultSort = "bps"

// GroupedBy returns what rows are grouped by, for headings; "" if it is all that makes a flow.
func (r *Report) GroupedBy() string {
	if r.Dims.Has(DimsFlow) {
		return ""
	}
	return r.Dims.String()
}

// SortedBy returns the field that rows are ordered by, for headings; "" if it is the default.
func (r *Report) SortedBy() string {
	if r.Sort == DefaultSort {
		return ""
	}
	return r.Sort
}
