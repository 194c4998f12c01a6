-- With PostgreSQL, each number logs in to its databases with a role and a password of its
-- own. They have to outlive the panel process, and are kept encrypted.
-- +goose Up
CREATE TABLE "database_passwords" (
	"instance" TEXT  NOT NULL PRIMARY KEY,
	"sealed"   BYTEA NOT NULL
);
