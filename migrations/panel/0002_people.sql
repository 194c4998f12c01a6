-- The people who use this installation, the browsers they are signed in with, the one-time
-- links that let them in, and the tokens of their programs. Secrets are kept as SHA-256 in
-- hex, passwords as argon2id PHC strings ('' where a person has none). Times are Unix
-- milliseconds, 0 for never.
-- +goose Up
CREATE TABLE "users" (
	"id"            BIGINT NOT NULL PRIMARY KEY,
	"email"         TEXT   NOT NULL,
	"name"          TEXT   NOT NULL,
	"role"          TEXT   NOT NULL CHECK ("role" IN ('owner', 'administrator', 'operator', 'viewer')),
	"password_hash" TEXT   NOT NULL,
	"created_at"    BIGINT NOT NULL,
	"last_seen_at"  BIGINT NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX "users_email" ON "users" ("email");

CREATE TABLE "sessions" (
	"token_hash"   TEXT   NOT NULL PRIMARY KEY,
	"id"           TEXT   NOT NULL,
	"user_id"      BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"created_at"   BIGINT NOT NULL,
	"last_seen_at" BIGINT NOT NULL,
	"expires_at"   BIGINT NOT NULL,
	"user_agent"   TEXT   NOT NULL,
	"address"      TEXT   NOT NULL,
	"revoked_at"   BIGINT NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX "sessions_id" ON "sessions" ("id");
CREATE INDEX "sessions_user_id" ON "sessions" ("user_id");

CREATE TABLE "setup_links" (
	"token_hash" TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE "sign_in_links" (
	"token_hash" TEXT   NOT NULL PRIMARY KEY,
	"user_id"    BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"expires_at" BIGINT NOT NULL
);

CREATE TABLE "tokens" (
	"token_hash"   TEXT   NOT NULL PRIMARY KEY,
	"id"           TEXT   NOT NULL,
	"user_id"      BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"name"         TEXT   NOT NULL,
	"created_at"   BIGINT NOT NULL,
	"expires_at"   BIGINT NOT NULL,
	"last_used_at" BIGINT NOT NULL DEFAULT 0,
	"revoked_at"   BIGINT NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX "tokens_id" ON "tokens" ("id");
CREATE INDEX "tokens_user_id" ON "tokens" ("user_id");
