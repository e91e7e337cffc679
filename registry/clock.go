package registry

// Clock is the clock of a backend's batches.
type Clock uint8

// Clocks.
const (
	ClockWall   Clock = iota // the engine's clock ends each window
	ClockSource              // the packets' timestamps: Collect returns at the end of each interval
)

// Clocked is implemented by configs whose options determine the clock. It is called after the
// options are set and before Open.
type Clocked interface{ Clock() Clock }

// ClockOf returns the clock of the source that c opens; c is a config of the backend.
func (b *Backend) ClockOf(c BackendConfig) Clock {
	if c, ok := c.(Clocked); ok {
		return c.Clock()
	}
	return b.Clock
}
