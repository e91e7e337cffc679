package attach

import "github.com/pktstat/pktstat/internal/kernel/held"

// Kept is what another program can take off a port.
type Kept struct {
	What string // "ingress"; "": all that is attached to the port
	// Held reports whether it is attached still.
	Held func() (bool, error)
	// Again attaches it again. The note, if any, is for the report.
	Again func() (note string, err error)
}

// keep looks after what is attached to a port. The caller holds s.mu, as for what follows.
func (s *source) keep(p *Port) {
	for _, k := range p.attached.Kept {
		t := &held.Thing{
			Name: func() string {
				if k.What == "" {
					return p.Name
				}
				return p.Name + " " + k.What
			},
			Held: k.Held,
			Again: func() error {
				note, err := k.Again()
				switch {
				case err == nil:
					if note != "" {
						p.attached.Notes = append(p.attached.Notes, note)
					}
					return nil
				case p.isGone(): // XDP says EINVAL then
					return held.ErrGone // the watcher hears of it
				}
				return s.Explain(err)
			},
		}
		p.kept = append(p.kept, t)
		s.keeper.Add(t)
	}
}

// unkeep ends looking after a port.
func (s *source) unkeep(p *Port) {
	s.keeper.Remove(p.kept...)
	p.kept = nil
}

// look attaches again what other programs have taken off.
func (s *source) look() {
	err := s.Env.NetNS.Inside(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.keeper.Look() {
			s.described = nil
		}
		return nil
	})
	if err != nil {
		s.Env.Debugf("look whether all is attached: %v", err)
	}
}
