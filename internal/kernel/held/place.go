package held

import "github.com/cilium/ebpf/link"

// Attached is an attached program.
type Attached struct {
	Held   func() (bool, error)
	Detach func() error
}

// Place is a place where a program is attached.
type Place struct {
	attach func() (Attached, error)
	now    Attached // zero: nothing is attached
}

// Attach calls attach. It is called again after another program has detached the program.
func Attach(attach func() (Attached, error)) (*Place, error) {
	p := &Place{attach: attach}
	return p, p.Again()
}

// Held implements [Thing.Held].
func (p *Place) Held() (bool, error) {
	if p.now.Held == nil {
		return false, nil
	}
	return p.now.Held()
}

// Again implements [Thing.Again]. It detaches a program that another program has put into the
// link.
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

// ByLink returns the attachment of a link, or err.
func ByLink(l link.Link, err error) (Attached, error) {
	if err != nil {
		return Attached{}, err
	}
	return Attached{Held: heldLink(l), Detach: l.Close}, nil
}
