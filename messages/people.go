package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Display is the name by which a person is shown; "" where nothing is known.
func (p Person) Display() string {
	for _, name := range []string{p.Name, p.PushName, p.BusinessName} {
		if name != "" {
			return name
		}
	}
	return ""
}

// People returns people whose name or address has search in it, in any case, by their names;
// limit 0 returns all. total is how many there are without limit and offset.
func (m *Messages) People(ctx context.Context, search string, limit, offset int) (_ []Person, total int, err error) {
	name := `coalesce(nullif("name", ''), nullif("push_name", ''), "business_name")`
	from := `FROM "contacts" WHERE true`
	var args []any
	mark := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if search != "" {
		pattern := like(search)
		from += ` AND (lower(` + name + `) LIKE ` + mark(pattern) + ` ESCAPE '\' OR "jid" LIKE ` + mark(pattern) + ` ESCAPE '\' OR "lid" LIKE ` + mark(pattern) + ` ESCAPE '\')`
	}
	if err := m.db.QueryRowContext(ctx, `SELECT count(*) `+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count contacts: %w", err)
	}
	query := `SELECT "jid", "lid", "name", "push_name", "business_name" ` + from + ` ORDER BY lower(` + name + `), "jid"`
	rows, err := m.db.QueryContext(ctx, query+page(limit, offset, mark), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("read contacts: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := []Person{}
	for rows.Next() {
		var p Person
		if err := rows.Scan(&p.JID, &p.LID, &p.Name, &p.PushName, &p.BusinessName); err != nil {
			return nil, 0, fmt.Errorf("read contacts: %w", err)
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("read contacts: %w", err)
	}
	return all, total, nil
}

// Person returns what is known of somebody, by either form of the address; the zero Person
// if nothing is. With it one form of an address leads to the other.
func (m *Messages) Person(ctx context.Context, jid string) (Person, error) {
	var p Person
	err := m.db.QueryRowContext(ctx, `SELECT "jid", "lid", "name", "push_name", "business_name" FROM "contacts"
		WHERE "jid" = $1 OR "lid" <> '' AND "lid" = $2 ORDER BY CASE WHEN "jid" = "lid" THEN 1 ELSE 0 END LIMIT 1`, clean(jid), clean(jid)).
		Scan(&p.JID, &p.LID, &p.Name, &p.PushName, &p.BusinessName)
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, nil
	}
	if err != nil {
		return Person{}, fmt.Errorf("read a contact: %w", err)
	}
	return p, nil
}
