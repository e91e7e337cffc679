package flow

// Link holds the counters of one interface.
type Link struct {
	Interface          // zero: the sum of all interfaces that vanished and have no row of their own
	Counters           // of the interval, or of the run in the final report
	StackedOn []string // interfaces of the report that show the same packets, now or when the interface was last stacked
}

// fewNames is the number of names up to which a linear search is fast.
const fewNames = 8

// names returns a function that finds an interface's last name, "" if it is unknown.
func (r *Report) names() func(index uint32) string {
	if len(r.Interfaces) <= fewNames {
		return func(index uint32) (name string) {
			for i := range r.Interfaces {
				if r.Interfaces[i].Index == index && index != 0 {
					name = r.Interfaces[i].Name
				}
			}
			return name
		}
	}
	byIndex := make(map[uint32]string, len(r.Interfaces))
	for i := range r.Interfaces {
		byIndex[r.Interfaces[i].Index] = r.Interfaces[i].Name
	}
	delete(byIndex, 0)
	return func(index uint32) string { return byIndex[index] }
}
