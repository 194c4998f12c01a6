// Package ffmpeg makes of recordings what WhatsApp wants, by the program of that name, where
// it is installed.
//
// The program reads files that somebody uploaded. It reads nothing else that they might
// name: no network, no playlists, no other files. One runs at a time, with bounds to its
// memory and to its time, and it ends when the process that started it does.
package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"switchboard/fault"
)

// Bounds of one run.
const (
	maxMemory = 2 << 30 // bytes of address space
	maxTime   = 40 * time.Second
	maxOutput = 100_000_000
)

// formats are those that files may have. Lists of other files are not among them.
const formats = "mp3,wav,w64,ogg,flac,aac,amr,aiff,caf,asf,avi,flv,mpeg,mpegts,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif"

// Program is an installed ffmpeg. A nil one is none, and says so.
type Program struct {
	path string
	turn chan struct{}
}

// New returns the program at path, nil if path is "".
func New(path string) *Program {
	if path == "" {
		return nil
	}
	return &Program{path: path, turn: make(chan struct{}, 1)}
}

// Voice returns a recording as a voice note, Opus in Ogg, in a file without a name that the
// caller closes. The error is a fault.
func (p *Program) Voice(ctx context.Context, in io.Reader) (*os.File, error) {
	return p.run(ctx, in, "ogg", "-vn", "-map", "0:a:0", "-ac", "1", "-ar", "48000", "-c:a", "libopus", "-b:a", "32k", "-application", "voip")
}

// Video returns a video as an MP4 with its longest edge at most edge, in a file without a
// name that the caller closes. A lower quality (18 to 28 are usual) is a better one. The error
// is a fault.
func (p *Program) Video(ctx context.Context, in io.Reader, edge, quality int) (*os.File, error) {
	scale := fmt.Sprintf("scale=w='min(%d,iw)':h='min(%d,ih)':force_original_aspect_ratio=decrease:force_divisible_by=2", edge, edge)
	return p.run(ctx, in, "mp4", "-map", "0:v:0", "-map", "0:a:0?", "-vf", scale, "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main",
		"-pix_fmt", "yuv420p", "-crf", fmt.Sprint(quality), "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart")
}

// Still returns the first picture of a video as a JPEG with its longest edge at most edge.
func (p *Program) Still(ctx context.Context, in io.Reader, edge int) ([]byte, error) {
	scale := fmt.Sprintf("scale=w=%d:h=%d:force_original_aspect_ratio=decrease", edge, edge)
	file, err := p.run(ctx, in, "mjpeg", "-map", "0:v:0", "-frames:v", "1", "-an", "-vf", scale, "-q:v", "5")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// run has the program make a file of one format out of another file.
func (p *Program) run(ctx context.Context, in io.Reader, format string, args ...string) (*os.File, error) {
	if p == nil {
		return nil, fault.New(fault.Invalid, "this needs ffmpeg, which is not installed on this server. Have it installed there, or convert the file before: a voice note is Opus in an Ogg file, a video an MP4.")
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	dir, err := os.MkdirTemp("", "ffmpeg-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	from, to := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := write(from, in); err != nil {
		return nil, err
	}
	whole := append([]string{
		"-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1",
		"-protocol_whitelist", "file", "-format_whitelist", formats, "-i", "file:" + from,
	}, args...)
	whole = append(whole, "-map_metadata", "-1", "-threads", "1", "-fs", fmt.Sprint(maxOutput), "-f", format, "file:"+to)
	if err := p.start(ctx, dir, whole); err != nil {
		return nil, err
	}
	out, err := os.Open(to)
	if err != nil {
		return nil, err
	}
	if info, err := out.Stat(); err != nil || info.Size() == 0 {
		_ = out.Close()
		return nil, fault.Wrap(fault.Invalid, "there is nothing in this file that can be played.", err)
	}
	return out, nil
}

func write(path string, in io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(file, in); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

func (p *Program) start(ctx context.Context, dir string, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	// The kernel ends the program with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, p.path, args...)
	var said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = dir, []string{"TMPDIR=" + dir}, &limited{&said, 4 << 10}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return fault.Wrap(fault.Invalid, "this needs ffmpeg, and that cannot be started on this server.", err)
	}
	pid := cmd.Process.Pid
	_ = unix.Setpriority(unix.PRIO_PROCESS, pid, 10) // people talk meanwhile
	_ = unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: maxMemory, Max: maxMemory}, nil)
	err := cmd.Wait()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.Wrap(fault.Unavailable, "this file takes too long to convert. Convert it before.", ctx.Err())
	}
	return fault.Wrap(fault.Invalid, "this file cannot be converted: it is damaged, or of a kind that ffmpeg does not read here.",
		errors.Join(err, errors.New(strings.TrimSpace(said.String()))))
}

// limited keeps the first bytes that are written to it.
type limited struct {
	to   *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.to.Write(p[:n])
	return len(p), nil
}
