package registry

// Clock tells whose time a backend's batches are in.
type Clock uint8

// Clocks.
const (
	ClockWall   Clock = iota // the engine ticks
	ClockSource              // the packets' own time: Collect returns at the end of each interval of it
)

// Clocked is implemented by configs whose options decide whose time it is, where that is
// not always the backend's Clock. It is asked when the options are set, before Open.
type Clocked interface{ Clock() Clock }

// ClockOf is the clock of what c, a config of the backend, opens.
func (b *Backend) ClockOf(c BackendConfig) Clock {
	if c, ok := c.(Clocked); ok {
		return c.Clock()
	}
	return b.Clock
}
