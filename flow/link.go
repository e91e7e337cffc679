package flow

// Link is what was counted on one interface.
type Link struct {
	Interface          // zero: all those that are gone and not named any more
	Counters           // of the report: the interval's, or the run's if final
	StackedOn []string // interfaces of the report that show the same packets too, or did when it was last stacked
}

// fewNames are searched one by one.
const fewNames = 8

// names returns a function that finds the name of an interface; the last one that it
// had, "" if it is not known.
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
