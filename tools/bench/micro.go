package bench

import "context"

// frameSizes are the sizes of the micro experiment, without FCS. A packet with longer headers gets
// a larger frame.
var frameSizes = []int{64, 512, 1500}

// micro measures one flow of every kind of packet: the cost of parsing.
func (r *runner) micro(ctx context.Context) error {
	for _, hook := range r.Hooks {
		var more []contender
		if hook == HookXDP && havePartsHelper() {
			more = append(more, ours{label: Parts, root: r.Root, parts: true})
		}
		err := r.with(r.defaults(hook), func(ps programs) error {
			for _, kind := range packets {
				r.Progress("micro %s %s", hook, kind.name)
				for _, size := range frameSizes {
					if err := r.microCase(ctx, hook, kind, size, ps); err != nil {
						return err
					}
				}
			}
			return nil
		}, more...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) microCase(ctx context.Context, hook Hook, kind packet, size int, ps programs) error {
	frame := kind.frame(size)
	g := Group{
		Case: Case{Experiment: "micro", Hook: hook, Packet: kind.name, Size: len(frame), Flows: 1, Table: TableDefault, State: StateWarm},
		Unit: UnitNanoseconds,
	}
	return r.rounds(g, ps, func(p *program, _ int) (float64, error) {
		if _, err := r.run(ctx, p, frame, r.Scale.Packets/10); err != nil {
			return 0, err
		}
		return r.run(ctx, p, frame, r.Scale.Packets)
	})
}
