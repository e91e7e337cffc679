// Package containers tells what a cgroup is: the container, Kubernetes pod or systemd
// unit whose processes are in it. It reads the cgroup's path and, for names, the files
// in which container runtimes keep their state. It talks to no daemon and no network.
package containers

import (
	"path"
	"regexp"
	"strings"
)

// Runtimes, as they stand before the colon of [Container.String].
const (
	Docker     = "docker"
	Containerd = "containerd"
	CRIO       = "cri-o"
	Podman     = "podman"
	Kubernetes = "kubernetes" // a pod's container whose runtime the path does not tell
	Systemd    = "systemd"    // no container, but a unit
)

// Container is what a cgroup belongs to. The zero value is nothing in particular.
type Container struct {
	Runtime string
	ID      string // of a container: 64 hexadecimal digits
	PodUID  string // of Kubernetes, with dashes
	Unit    string // of systemd: "sshd.service"
	Name    string // "web", or "namespace/pod/container"; "" if it is not known
}

// IsContainer reports whether it is a container, not a unit or nothing.
func (c *Container) IsContainer() bool { return c.ID != "" }

// String returns "docker:web", "containerd:shop/cart-7d9f/app", "docker:0123456789ab"
// where the name is not known, "containerd:pod<uid>/0123456789ab" where that is in a
// pod, "systemd:sshd.service", or "".
func (c *Container) String() string {
	switch {
	case c.Unit != "":
		return Systemd + ":" + c.Unit
	case c.ID == "":
		return ""
	case c.Name != "":
		return c.Runtime + ":" + c.Name
	case c.PodUID != "":
		return c.Runtime + ":pod" + c.PodUID + "/" + c.ID[:12]
	}
	return c.Runtime + ":" + c.ID[:12]
}

// The last element of a container's path, as the systemd cgroup driver of each runtime
// names its scopes, and the cgroupfs driver its directories.
var elements = []struct {
	runtime string
	is      *regexp.Regexp
}{
	{Docker, regexp.MustCompile(`^docker-([0-9a-f]{64})\.scope$`)},
	{Containerd, regexp.MustCompile(`^(?:cri-containerd|containerd|nerdctl)-([0-9a-f]{64})(?:\.scope)?$`)},
	{CRIO, regexp.MustCompile(`^crio-([0-9a-f]{64})(?:\.scope)?$`)},
	{Podman, regexp.MustCompile(`^libpod-([0-9a-f]{64})(?:\.scope)?$`)},
}

var (
	bareID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// "pod<uid>" of the cgroupfs driver, "kubepods-burstable-pod<uid>.slice" of the
	// systemd one, which writes underscores for dashes. A static pod's uid has none.
	podElement = regexp.MustCompile(`^(?:kubepods(?:-besteffort|-burstable)?-)?pod([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12})(?:\.slice)?$`)
	unit       = regexp.MustCompile(`^[^/]+\.(?:service|scope)$`)
)

// Parse reads the path of a cgroup below the root of its hierarchy. Of containers in a
// container, the innermost is meant, and what is below it belongs to it.
func Parse(cgroup string) Container {
	all := strings.Split(strings.Trim(path.Clean("/"+cgroup), "/"), "/")
	for i := len(all) - 1; i >= 0; i-- {
		c := Container{}
		for _, e := range elements {
			if m := e.is.FindStringSubmatch(all[i]); m != nil {
				c.Runtime, c.ID = e.runtime, m[1]
			}
		}
		parent := ""
		if i > 0 {
			parent = all[i-1]
		}
		pod := podElement.FindStringSubmatch(parent)
		if c.ID == "" && bareID.MatchString(all[i]) {
			c.Runtime, c.ID = runtimeOf(parent, pod != nil), all[i]
		}
		if c.ID == "" || c.Runtime == "" {
			continue
		}
		if pod != nil {
			c.PodUID = dashed(pod[1])
		}
		return c
	}
	for i := len(all) - 1; i >= 0; i-- {
		if unit.MatchString(all[i]) {
			return Container{Runtime: Systemd, Unit: all[i]}
		}
	}
	return Container{}
}

// runtimeOf tells the runtime of a container whose directory is its id, by the
// directory it is in; "" if that is not one of a runtime.
func runtimeOf(parent string, pod bool) string {
	switch {
	case pod:
		return Kubernetes
	case parent == "docker":
		return Docker
	case parent == "libpod_parent":
		return Podman
	case parent == "default" || parent == "k8s.io": // namespaces of containerd
		return Containerd
	}
	return ""
}

// dashed returns a pod's uid as Kubernetes writes it.
func dashed(uid string) string { return strings.ReplaceAll(uid, "_", "-") }
