package registry

import "flag"

// List is implemented by values of options that add what each Set gives them. Every
// other option that takes a value may be given once only.
type List interface {
	flag.Value
	IsList() bool
}
