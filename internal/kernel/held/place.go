package held

import "github.com/cilium/ebpf/link"

// Attached is a program in its place.
type Attached struct {
	Held   func() (bool, error)
	Detach func() error
}

// Place is where a program is attached.
type Place struct {
	attach func() (Attached, error)
	now    Attached // empty: nothing is attached
}

// Attach attaches a program by a function, which is called again if another program has
// taken that off.
func Attach(attach func() (Attached, error)) (*Place, error) {
	p := &Place{attach: attach}
	return p, p.Again()
}

// Held is for [Thing].
func (p *Place) Held() (bool, error) {
	if p.now.Held == nil {
		return false, nil
	}
	return p.now.Held()
}

// Again is for [Thing]. Where another program has put one of its own into the place, it
// detaches that.
func (p *Place) Again() (err error) {
	if err := p.Detach(); err != nil {
		return err
	}
	p.now, err = p.attach()
	return err
}

// Detach may be called twice.
func (p *Place) Detach() error {
	detach := p.now.Detach
	p.now = Attached{}
	if detach == nil {
		return nil
	}
	return detach()
}

// ByLink is what is attached by a link. It passes an error on.
func ByLink(l link.Link, err error) (Attached, error) {
	if err != nil {
		return Attached{}, err
	}
	return Attached{Held: heldLink(l), Detach: l.Close}, nil
}
