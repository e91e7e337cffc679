package flow

import "strings"

// Origin is where the reports of a run come from. It is the same in all of them.
type Origin struct {
	Host    string   // name of the machine on which pktstat ran
	Kernel  string   // release of its kernel, as uname -r prints it
	Version string   // of pktstat
	Args    []string // the command line without the program's name
	Note    string   // the user's own text
}

// CommandLine returns the command line as a POSIX shell reads it; "" if it is not known.
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

// quoted puts a word into single quotes unless a shell takes all of it as it is. It needs no
// backslash, which outputs escape.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'"
}

// SourceKind is what the names of a report's source are of.
type SourceKind string

// Kinds of sources.
const (
	SourceAll        SourceKind = "" // all traffic of the machine, or no interface yet: there are no names
	SourceInterfaces SourceKind = "interfaces"
	SourceFiles      SourceKind = "files"   // captures
	SourceCgroups    SourceKind = "cgroups" // control groups
)

// SourceKinds are the kinds that have names.
var SourceKinds = []SourceKind{SourceInterfaces, SourceFiles, SourceCgroups}

// Source returns what was counted: the names of captures, of control groups or of
// interfaces.
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
