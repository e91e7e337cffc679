package cmd

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// The release build sets version: -ldflags "-X github.com/pktstat/pktstat/cmd.version=v1.2.3".
var version string

// versionOf returns the version of this build, or "devel" if it is unknown.
func versionOf() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// versionCommand is the sub-command version.
func (s *session) versionCommand(w io.Writer, cl *commandLine) *cli.Command {
	const name = "version"
	c := s.subCommand(name, "the version, its commit and the date", nil, func(c *cli.Context) error {
		if err := alone(c, name, cl); err != nil {
			return err
		}
		_, err := io.WriteString(w, versionText())
		return ignoreReported(err)
	})
	c.Description = "pktstat version prints the version, the commit and its date.\n"
	return c
}

func versionText() string {
	return fmt.Sprintf("%s %s (%s%s %s/%s)\n", program, versionOf(), commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// buildSettings returns how this binary was built, by key; nil if unknown.
func buildSettings() map[string]string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	return settings
}

// commit returns the source's revision and date, followed by a separator; "" if unknown.
func commit() string {
	settings := buildSettings()
	rev := settings["vcs.revision"]
	if rev == "" {
		return ""
	}
	rev = rev[:min(len(rev), 12)]
	if settings["vcs.modified"] == "true" {
		rev += "+changes"
	}
	if at := settings["vcs.time"]; at != "" {
		rev += " of " + at
	}
	return "commit " + rev + ", "
}
