package containers

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// names looks up container names in the state files of the runtimes. Names are not escaped: the
// output that shows them does that.
type names struct {
	root string // "/"; a test has another one
}

// maxState is how many bytes of a file are read at most.
const maxState = 16 << 20

// find completes c: its name, and its runtime if the path did not name it.
func (n names) find(c *Container) {
	if !bareID.MatchString(c.ID) {
		return // the id becomes part of a path
	}
	for _, r := range []struct {
		runtime string
		name    func(string) (string, error)
	}{{Docker, n.docker}, {Podman, n.storage}, {CRIO, n.storage}, {Containerd, n.containerd}} {
		if c.Runtime != r.runtime && c.Runtime != Kubernetes {
			continue
		}
		name, err := r.name(c.ID)
		if err != nil {
			continue // the file is missing or unreadable: the id stands for the name
		}
		if c.Runtime == Kubernetes {
			c.Runtime = r.runtime
			if r.runtime == Podman && strings.Contains(name, "/") {
				c.Runtime = CRIO // both keep their containers in the same store
			}
		}
		c.Name = name
		return
	}
}

func (n names) read(v any, elem ...string) error {
	f, err := os.Open(filepath.Join(append([]string{n.root}, elem...)...))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return json.NewDecoder(io.LimitReader(f, maxState)).Decode(v)
}

var errUnknown = errors.New("no such container")

// docker reads /var/lib/docker/containers/ID/config.v2.json.
func (n names) docker(id string) (string, error) {
	var config struct {
		Name   string
		Config struct{ Labels map[string]string }
	}
	if err := n.read(&config, "var/lib/docker/containers", id, "config.v2.json"); err != nil {
		return "", err
	}
	l := config.Config.Labels
	if name := podName(l["io.kubernetes.pod.namespace"], l["io.kubernetes.pod.name"], l["io.kubernetes.container.name"]); name != "" {
		return name, nil
	}
	return strings.TrimPrefix(config.Name, "/"), nil
}

// storage reads the container list of containers/storage, the library that Podman and CRI-O use. It
// tries each storage driver's directory (overlay, vfs, btrfs).
func (n names) storage(id string) (string, error) {
	lists, err := filepath.Glob(filepath.Join(n.root, "var", "lib", "containers", "storage", "*-containers", "containers.json"))
	if err != nil {
		return "", err
	}
	for _, list := range lists {
		var all []struct {
			ID    string
			Names []string
		}
		rel, err := filepath.Rel(n.root, list)
		if err != nil {
			return "", err
		}
		if err := n.read(&all, rel); err != nil {
			return "", err
		}
		for _, c := range all {
			if c.ID == id && len(c.Names) > 0 {
				return kubeName(c.Names[0]), nil
			}
		}
	}
	return "", errUnknown
}

// kubeName converts a name of CRI-O, "k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT". It returns other
// names unchanged.
func kubeName(s string) string {
	w := strings.Split(s, "_")
	if len(w) != 6 || w[0] != "k8s" {
		return s
	}
	return podName(w[3], w[2], w[1])
}

// containerd reads the OCI configuration of a task of containerd or of k3s.
func (n names) containerd(id string) (string, error) {
	for _, state := range []string{"run/containerd", "run/k3s/containerd"} {
		tasks, err := filepath.Glob(filepath.Join(n.root, state, "io.containerd.runtime.v2.task", "*", id, "config.json"))
		if err != nil {
			return "", err
		}
		for _, task := range tasks {
			rel, err := filepath.Rel(n.root, task)
			if err != nil {
				return "", err
			}
			var config struct{ Annotations map[string]string }
			if err := n.read(&config, rel); err != nil {
				return "", err
			}
			a := config.Annotations
			if name := podName(a["io.kubernetes.cri.sandbox-namespace"], a["io.kubernetes.cri.sandbox-name"], a["io.kubernetes.cri.container-name"]); name != "" {
				return name, nil
			}
			if name := a["nerdctl/name"]; name != "" {
				return name, nil
			}
		}
	}
	return "", errUnknown
}

// podName returns "namespace/pod/container". The container that holds the pod's namespaces (pause)
// has no name of its own.
func podName(namespace, pod, container string) string {
	if pod == "" {
		return ""
	}
	name := namespace + "/" + pod
	if container != "" && container != "POD" {
		name += "/" + container
	}
	return name
}
