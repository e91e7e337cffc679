package attach

import "github.com/pktstat/pktstat/internal/kernel/held"

// Kept is an attachment that another program can remove.
type Kept struct {
	What string // "ingress"; "" if the port has one attachment only
	// Held reports whether it is still attached.
	Held func() (bool, error)
	// Again attaches it again. It may return a note for the report.
	Again func() (note string, err error)
}

// keep watches the attachments of a port. The caller of the functions in this file holds s.mu.
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
				case p.isGone(): // XDP returns EINVAL if the interface has vanished
					return held.ErrGone // the watcher handles it
				}
				return s.Explain(err)
			},
		}
		p.kept = append(p.kept, t)
		s.keeper.Add(t)
	}
}

// stopKeeping stops watching the attachments of a port.
func (s *source) stopKeeping(p *Port) {
	s.keeper.Remove(p.kept...)
	p.kept = nil
}

// look reattaches what other programs have detached.
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
		s.Env.Debugf("check the attachments: %v", err)
	}
}
