// Package settings reads values of options from configuration files and environment variables. It
// knows no options: its caller looks the keys up.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSize is the limit for a file, in bytes. A file with all options takes a few kilobytes.
const maxSize = 1 << 20

// Setting is the value of one key.
type Setting struct {
	Key    string
	Values []string // as on the command line
	Array  bool     // the value is an array, maybe of one element
	Table  bool     // the value is a table, and Values is empty
	Where  string   // "file:line", or an environment variable
}

// Error is an error in a configuration: its syntax, or a value.
type Error struct {
	Where string
	Text  string
}

func (e *Error) Error() string { return e.Where + ": " + e.Text }

// Distrust is why pktstat does not read a file that the user did not name.
type Distrust struct{ Path, Text string }

func (e *Distrust) Error() string { return e.Path + ": " + e.Text }

// Named reads a file that the user names. It may be a pipe.
func Named(path string) ([]Setting, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return read(f, path)
}

// Found reads a file at a default place. It returns nothing if the file does not exist. The file
// controls this process. So it must be a regular file, belong to the user or root, and not be
// writable for all. Else Found returns a [Distrust].
func Found(path string, uid int) ([]Setting, error) {
	// Without O_NONBLOCK, opening a FIFO would wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case errors.Is(err, os.ErrPermission):
		return nil, &Distrust{path, "permission denied"}
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	if why := distrust(info, uid); why != "" {
		_ = f.Close()
		return nil, &Distrust{path, why}
	}
	return read(f, path)
}

func distrust(info os.FileInfo, uid int) string {
	owner := uid
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = int(s.Uid)
	}
	switch {
	case !info.Mode().IsRegular():
		return "it is not a regular file"
	case owner != uid && owner != 0:
		return fmt.Sprintf("it belongs to user %d, who is neither the user of this process nor root", owner)
	case info.Mode().Perm()&0o002 != 0:
		return "every user can write to it"
	}
	return ""
}

// read reads and closes f.
func read(f *os.File, path string) ([]Setting, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, &Error{path, fmt.Sprintf("longer than %d bytes", maxSize)}
	}
	return parse(text, path)
}

// parse reads TOML. It returns the settings in the order of the file.
func parse(text []byte, path string) ([]Setting, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // the byte order mark of Windows editors
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		return nil, syntaxError(err, path)
	}
	var all []Setting
	p := unstable.Parser{}
	p.Reset(text)
	seen := map[string]bool{}
	for p.NextExpression() {
		e := p.Expression()
		key := e.Key()
		if !key.Next() || seen[string(key.Node().Data)] {
			continue
		}
		name := string(key.Node().Data)
		seen[name] = true
		where := fmt.Sprintf("%s:%d", path, p.Shape(key.Node().Raw).Start.Line)
		s, err := setting(name, values[name], where)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
		if e.Kind != unstable.KeyValue {
			break // the rest of the file is inside this table
		}
	}
	return all, nil
}

func syntaxError(err error, path string) error {
	where := path
	if at := (*toml.DecodeError)(nil); errors.As(err, &at) {
		line, _ := at.Position()
		where += ":" + strconv.Itoa(line)
	}
	return &Error{where, "not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
}

// setting converts a TOML value to texts.
func setting(key string, value any, where string) (Setting, error) {
	s := Setting{Key: key, Where: where}
	elements, array := value.([]any)
	if s.Array = array; !array {
		elements = []any{value}
	}
	for _, e := range elements {
		switch v := e.(type) {
		case string:
			s.Values = append(s.Values, v)
		case bool, int64:
			s.Values = append(s.Values, fmt.Sprint(v))
		case float64:
			s.Values = append(s.Values, strconv.FormatFloat(v, 'f', -1, 64))
		case map[string]any:
			return Setting{Key: key, Table: true, Where: where}, nil
		default:
			return s, &Error{where, fmt.Sprintf("%s: a value is text, a number, true, false, or an array of them", key)}
		}
	}
	return s, nil
}

// Variable converts the value of an environment variable. A TOML array becomes several values.
func Variable(key, name, value string) Setting {
	if strings.HasPrefix(value, "[") {
		if all, err := parse([]byte("value = "+value), ""); err == nil && len(all) == 1 && all[0].Array {
			return Setting{Key: key, Values: all[0].Values, Array: true, Where: name}
		}
	}
	return Setting{Key: key, Values: []string{value}, Where: name}
}

// Line formats a setting as a line of TOML.
func Line(key string, value any) string {
	text, err := toml.Marshal(map[string]any{key: value})
	if err != nil {
		return "# " + key + ": " + err.Error()
	}
	return strings.TrimSuffix(string(text), "\n")
}
