package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"switchboard/gowa/gowatest"
	"switchboard/whatsapp/simulator/phone"
)

// act is an operation of the specification, what is asked of it, and what becomes of it; or an
// error, and what is answered with it.
type act struct {
	operation string
	play      func(*stage)
}

// acts are all of them in an order in which they can be played: first those that link a number,
// last those that end it. An operation may have several.
func acts() []act {
	return slices.Concat(beginning, unlinkedRefusals, linking, sendActs, messageActs, storedActs, userActs, chatActs, groupActs, newsletterActs,
		callActs, linkedRefusals, beyondActs, ending)
}

// TestOperations calls every operation of the specification that concerns a number, at the
// number's own port and through the gateway, with everything as far apart as it is in life: the
// panel, the number and the network are processes of the program that ships. Each answer has to
// be as the specification says, and the effect of each is looked at where a person would see
// it: on a phone, or in what the number tells of itself afterwards.
func TestOperations(t *testing.T) {
	t.Parallel()
	states, err := gowatest.Table("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range states { // another test sees to it that all are there
		if state != gowatest.NotBuilt && !slices.ContainsFunc(acts(), func(a act) bool { return a.operation == name }) {
			t.Errorf("%s is not tried", name)
		}
	}
	network := startNetwork(t)
	_, api := startPanelWithToken(t, network, "EGRESS_ALLOW=127.0.0.1/32")
	t.Run("doors", func(t *testing.T) {
		for name, open := range map[string]func(*stage){"own port": ownPort, "gateway": throughGateway} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newStage(t, network, api, name)
				open(s)
				for _, a := range acts() {
					switch {
					case !s.gateway && states[a.operation] == gowatest.AtGateway:
					case s.gateway && a.operation == "504 GATEWAY_TIMEOUT": // which takes as long as it says
					default:
						s.try(t, a)
					}
				}
			})
		}
	})
}

// stage is a number in front of its API, and the phones of those whom it deals with.
type stage struct {
	*network
	t       *testing.T // of the act
	whole   context.Context
	api     *api
	id      string // of the number
	gateway bool

	owner, ann, ben *handset
	me, chat        string // the number's own address, and the one of the chat with Ann

	url   string // of the door
	base  string // what links in answers begin with
	login func(*http.Request)

	operation string
	asked     bool // the operation has answered as it should
	looked    bool // and what became of it was seen

	// What acts leave for later ones.
	group, channel, queue string

	challenge json.RawMessage
	scanned   chan error
	frames    chan socketFrame
}

func newStage(t *testing.T, n *network, owners *api, name string) *stage {
	own := network{process: &process{t: t}, control: n.control}
	a := &api{&client{t: t, url: owners.url, token: owners.token}}
	digit := len(name) % 10 // a family of numbers for each door
	person := func(i int, name string) *handset { return own.addPhone(fmt.Sprintf("4917010000%d%d", digit, i), name) }
	s := &stage{network: &own, t: t, whole: t.Context(), api: a, owner: person(1, "Owner"), ann: person(2, "Ann"), ben: person(3, "Ben")}
	s.me, s.chat = s.owner.number+"@s.whatsapp.net", s.ann.number+"@s.whatsapp.net"
	return s
}

// try plays an act. It counts only when the operation was asked and its effect looked at.
func (s *stage) try(t *testing.T, a act) {
	t.Helper()
	ok := t.Run(a.operation, func(t *testing.T) {
		s.t, s.network.t, s.api.t, s.operation, s.asked, s.looked = t, t, t, a.operation, false, false
		a.play(s)
		if !s.asked || !s.looked {
			t.Errorf("asked: %v, looked what became of it: %v", s.asked, s.looked)
		}
	})
	if !ok {
		t.FailNow() // what comes next needs it
	}
}

type params = map[string]any

// attachment is a file in a multipart body.
type attachment struct {
	name, media string
	data        []byte
}

// answered is what an operation has answered.
type answered struct {
	s       *stage
	Message string
	Results json.RawMessage
}

func (a answered) into(results any) {
	a.s.t.Helper()
	if err := json.Unmarshal(a.Results, results); err != nil {
		a.s.t.Fatalf("%v: %s", err, a.Results)
	}
}

// id is the id of what was sent.
func (a answered) id() string {
	a.s.t.Helper()
	var r struct {
		MessageID string `json:"message_id"`
	}
	if a.into(&r); r.MessageID == "" {
		a.s.t.Fatalf("there is no id in %s", a.Results)
	}
	return r.MessageID
}

// ask asks the act's operation, which has to succeed.
func (s *stage) ask(in params) answered {
	s.t.Helper()
	status, header, body := s.raw(s.operation, "", in)
	if status != http.StatusOK {
		s.t.Fatalf("%v: %d %s", in, status, body)
	}
	known := gowatest.Operations()[s.operation] != nil // or it is one of ours
	if err := gowatest.Check(s.operation, header.Get("Content-Type"), body); known && err != nil {
		s.t.Errorf("%v: %s", err, body)
	}
	s.asked = true
	out := answered{s: s, Results: body}
	if strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		out.Results = nil
		if err := json.Unmarshal(body, &out); err != nil {
			s.t.Fatalf("%v: %s", err, body)
		}
	}
	return out
}

// refused asks for what has to be refused with this status and code.
func (s *stage) refused(want, operation string, in params) []byte {
	s.t.Helper()
	status, header, body := s.raw(operation, "", in)
	var e struct{ Code string }
	_ = json.Unmarshal(body, &e)
	if got := fmt.Sprint(status, " ", e.Code); got != want {
		s.t.Errorf("%s %.200v: %s %s instead of %s", operation, in, got, body, want)
	}
	if err := gowatest.CheckError(header.Get("Content-Type"), body); err != nil {
		s.t.Errorf("%s: %v", operation, err)
	}
	return body
}

// raw asks an operation, or a path by a method. Parameters that the path names go there, those
// of a GET into the query, all others into the body: multipart if there is a file, JSON if that
// is the door's way or something is nested, a form otherwise.
func (s *stage) raw(operation, path string, in params) (int, http.Header, []byte) {
	s.t.Helper()
	method, named, _ := strings.Cut(operation, " ")
	if path == "" {
		path = named
	}
	query, rest := url.Values{}, params{}
	asJSON, files := s.gateway, false
	for _, name := range slices.Sorted(maps.Keys(in)) {
		value := in[name]
		switch v := value.(type) {
		case attachment:
			files = true
		case map[string]any:
			asJSON = true
		case asItIs:
			asJSON, value = true, string(v)
		}
		switch {
		case strings.Contains(path, "{"+name+"}"):
			text := fmt.Sprint(value)
			if !s.gateway {
				text = url.PathEscape(text)
			}
			path = strings.ReplaceAll(path, "{"+name+"}", text)
		case method == http.MethodGet || inQuery(operation, name):
			query.Set(name, fmt.Sprint(value))
		default:
			rest[name] = value
		}
	}
	body, media := encode(rest, files, asJSON || method == http.MethodGet && s.gateway)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	s.login(r)
	return fetch(s.t, r)
}

// inQuery says whether the specification has a parameter in the query.
func inQuery(operation, name string) bool {
	op := gowatest.Operations()[operation]
	return op != nil && slices.Contains(op.Parameters, gowatest.Parameter{Name: name, In: "query"})
}

// asItIs is a text that makes the body JSON.
type asItIs string

func encode(in params, files, asJSON bool) (*bytes.Buffer, string) {
	var body bytes.Buffer
	if asJSON && !files {
		_ = json.NewEncoder(&body).Encode(in)
		return &body, "application/json"
	}
	texts := url.Values{}
	parts := multipart.NewWriter(&body)
	for name, value := range in {
		switch v := value.(type) {
		case attachment:
			head := textproto.MIMEHeader{}
			head.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename=%q`, name, v.name))
			head.Set("Content-Type", v.media)
			part, _ := parts.CreatePart(head)
			_, _ = part.Write(v.data)
		case []string:
			texts[name] = v
		default:
			texts.Set(name, fmt.Sprint(v))
		}
	}
	if !files {
		return bytes.NewBufferString(texts.Encode()), "application/x-www-form-urlencoded"
	}
	for name, list := range texts {
		for _, v := range list {
			_ = parts.WriteField(name, v)
		}
	}
	_ = parts.Close()
	return &body, parts.FormDataContentType()
}

// follow fetches what a link in an answer leads to, which has to be behind the same door.
func (s *stage) follow(link string) (http.Header, []byte) {
	s.t.Helper()
	path, found := strings.CutPrefix(link, s.base)
	if !found {
		s.t.Fatalf("%s is not on %s", link, s.base)
	}
	status, header, body := s.raw(http.MethodGet, path, nil)
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", link, status, body)
	}
	return header, body
}

// is says what was seen of an act, and whether it is right.
func (s *stage) is(ok bool, format string, what ...any) {
	s.t.Helper()
	if s.looked = true; !ok {
		s.t.Errorf(format, what...)
	}
}

// arrives waits until a phone has the message with that id in a state that match accepts.
func (s *stage) arrives(h *handset, id string, match func(phone.Entry) bool) phone.Entry {
	s.t.Helper()
	s.looked = true
	var last phone.Entry
	e, err := h.control.WaitFor(within(s.t, patience), h.number, 0, patience, func(e phone.Entry) bool {
		if e.ID == id {
			last = e
		}
		return e.ID == id && (match == nil || match(e))
	})
	if err != nil {
		s.t.Fatalf("%s: %v; the last state is %+v, %+v", id, err, last, last.Detail)
	}
	return e
}

// shows waits until the owner of a phone sees something.
func (s *stage) shows(h *handset, what string, match func(phone.View) bool) {
	s.t.Helper()
	s.looked = true
	h.view(what, match)
}

// sends asks the act's operation to send something to Ann, and returns what arrived there.
func (s *stage) sends(in params) phone.Entry {
	s.t.Helper()
	all := params{"phone": s.ann.number}
	maps.Copy(all, in)
	id := s.ask(all).id()
	e := s.arrives(s.ann, id, nil)
	if mine := s.arrives(s.owner, id, nil); mine.Kind != e.Kind || mine.Text != e.Text || !mine.FromMe {
		s.t.Errorf("the number's own phone has %+v", mine)
	}
	s.is(e.From == s.owner.number && e.Chat == s.owner.number, "it came from %s in the chat with %s", e.From, e.Chat)
	return e
}

// file is the file of a message on Ann's phone.
func (s *stage) file(e phone.Entry) []byte {
	s.t.Helper()
	data, err := s.control.Download(within(s.t, patience), s.ann.number, e.Chat, e.ID)
	s.must(err)
	return data
}

// hears has somebody write to the number, in a group if one is given, and waits until it is
// stored.
func (s *stage) hears(from *handset, text, group string) string {
	s.t.Helper()
	to, chat := group, group
	if group == "" {
		to, chat = s.owner.number, from.number+"@s.whatsapp.net"
	}
	e, err := s.control.Send(within(s.t, patience), from.number, to, text)
	s.must(err)
	s.stored(chat, e.ID)
	return e.ID
}

// stored waits until a message is stored in a chat.
func (s *stage) stored(chat, id string) {
	s.t.Helper()
	poll(s.t, id+" is stored", func() bool {
		status, _, body := s.raw("GET /chat/{chat_jid}/messages", "", params{"chat_jid": chat, "limit": 5})
		return status == http.StatusOK && bytes.Contains(body, []byte(`"`+id+`"`))
	}, nil)
}

// becomes waits until the number has a status.
func (s *stage) becomes(status string) {
	s.t.Helper()
	s.api.becomes(s.id, status)
}
