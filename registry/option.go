package registry

import "flag"

// List is implemented by option values that may be given several times: each Set adds values.
// Other options with a value may be given once.
type List interface {
	flag.Value
	IsList() bool
}
