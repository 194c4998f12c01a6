package gowa

// Operations lists the route table for tests, "GET /app/login".
func Operations() []string {
	var all []string
	for _, r := range routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}
