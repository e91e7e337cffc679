// Package corpus reads testdata/packets. Each packet tests a rule of docs/accounting.md, and has a
// declaration of how to count it. Every parser of pktstat is tested with it.
package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
)

//go:generate go run github.com/pktstat/pktstat/internal/test/corpus/gen ../../../testdata/packets

// Case is a packet and its truth.
type Case struct {
	Name string // group/name: "ipv4/fragment-first"
	Rule string // of docs/accounting.md: "ipv4 4" is the fourth rule of its section IPv4

	LinkType packet.LinkType
	Data     []byte // as captured
	OrigLen  int    // on the wire

	// Facts that only a kernel hook knows.
	Tagged   bool   // the outermost VLAN tag is not in Data
	TCI      uint16 // of that tag
	Segments int    // of a super-frame; 0: not a super-frame

	// Want is how the packet must be counted. First and Last are 0.
	Want flow.Record

	// TSharkDiffers is why tshark reads the packet differently; "" if it does not.
	TSharkDiffers string
}

// Frame fills f as a capture or a hook would.
func (c *Case) Frame(f *packet.Frame) {
	if !c.LinkType.Frame(c.Data, c.OrigLen, f) {
		panic("corpus: " + c.Name + ": link type " + c.LinkType.String())
	}
	f.Tagged, f.TCI, f.Segments = c.Tagged, c.TCI, c.Segments
}

// Whole reports whether Data is the whole packet. A cut packet, a cooked header, a VLAN tag outside
// of Data and a super-frame are not whole. Only a whole packet can be sent, or given to
// BPF_PROG_TEST_RUN without a context.
func (c *Case) Whole() bool {
	return c.OrigLen == len(c.Data) && !c.Tagged && c.Segments <= 1 &&
		(c.LinkType == packet.LinkTypeEthernet || c.LinkType == packet.LinkTypeRaw)
}

// Load returns all cases. It finds testdata/packets from any directory inside the repository.
func Load() ([]Case, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no captures in %s", dir)
	}
	var cases []Case
	for _, f := range files {
		group, err := loadGroup(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		cases = append(cases, group...)
	}
	return cases, nil
}

// Dir returns testdata/packets of the repository that contains the working directory.
func Dir() (string, error) {
	root, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(root, "go.mod"))
		if err == nil {
			return filepath.Join(root, "testdata", "packets"), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || root == filepath.Dir(root) {
			return "", fmt.Errorf("find the root of the repository: %w", err)
		}
		root = filepath.Dir(root)
	}
}

func loadGroup(file string) ([]Case, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	link, packets, err := pcapfile.Read(data)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(file, ".pcap")
	truths, err := loadTruths(base + ".json")
	if err != nil {
		return nil, err
	}
	if len(truths) != len(packets) {
		return nil, fmt.Errorf("%d packets, but truth for %d", len(packets), len(truths))
	}
	cases := make([]Case, len(packets))
	for i, p := range packets {
		t := &truths[i]
		c := Case{
			Name: filepath.Base(base) + "/" + t.Name, Rule: t.Rule,
			LinkType: link, Data: p.Data, OrigLen: p.OrigLen,
			Segments: t.Segments, TSharkDiffers: t.TShark,
		}
		if t.TCI != nil {
			c.Tagged, c.TCI = true, *t.TCI
		}
		if c.Want, err = t.record(); err != nil {
			return nil, fmt.Errorf("truth of packet %d, %q: %w", i+1, t.Name, err)
		}
		cases[i] = c
	}
	return cases, nil
}
