package audit

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteJSONL writes entries as JSON, one a line.
func WriteJSONL(w io.Writer, entries []Entry) error {
	encoder := json.NewEncoder(w)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// WriteCSV writes entries as a table. A value that a spreadsheet would take for a formula
// gets an apostrophe in front, which spreadsheets do not show.
func WriteCSV(w io.Writer, entries []Entry) error {
	table := csv.NewWriter(w)
	_ = table.Write([]string{"seq", "at", "user", "who", "via", "address", "action", "instance", "target", "result", "detail", "hash"})
	for _, e := range entries {
		row := []string{
			strconv.FormatInt(e.Seq, 10), e.At.UTC().Format(time.RFC3339Nano), strconv.FormatInt(e.User, 10),
			e.Who, e.Via, e.Address, e.Action, e.Instance, e.Target, string(e.Result), e.Detail, e.Hash,
		}
		for i, value := range row {
			row[i] = plain(value)
		}
		_ = table.Write(row)
	}
	table.Flush()
	return table.Error()
}

func plain(value string) string {
	if value != "" && strings.ContainsRune("=+-@\t\r\n", rune(value[0])) {
		return "'" + value
	}
	return value
}
