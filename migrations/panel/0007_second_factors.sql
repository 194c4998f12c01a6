-- What stands beside or instead of a password: codes of an authenticator app (the seed is
-- sealed; step is the last one that was used, so that no code works twice), recovery codes
-- (hashes), passkeys, and identities at a provider of single sign-on. A challenge is a
-- half-finished sign-in of one browser. keys are secrets of this installation, sealed.
-- +goose Up
CREATE TABLE "totp" (
	"user_id"      BIGINT NOT NULL PRIMARY KEY REFERENCES "users" ("id") ON DELETE CASCADE,
	"sealed"       BYTEA  NOT NULL,
	"confirmed_at" BIGINT NOT NULL,
	"step"         BIGINT NOT NULL
);

CREATE TABLE "recovery_codes" (
	"user_id"   BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"code_hash" TEXT   NOT NULL,
	PRIMARY KEY ("user_id", "code_hash")
);

CREATE TABLE "passkeys" (
	"id"           TEXT   NOT NULL PRIMARY KEY,
	"user_id"      BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"name"         TEXT   NOT NULL,
	"credential"   TEXT   NOT NULL,
	"created_at"   BIGINT NOT NULL,
	"last_used_at" BIGINT NOT NULL
);

CREATE INDEX "passkeys_user_id" ON "passkeys" ("user_id");

CREATE TABLE "identities" (
	"issuer"  TEXT   NOT NULL,
	"subject" TEXT   NOT NULL,
	"user_id" BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	PRIMARY KEY ("issuer", "subject")
);

CREATE INDEX "identities_user_id" ON "identities" ("user_id");

CREATE TABLE "challenges" (
	"token_hash" TEXT   NOT NULL,
	"purpose"    TEXT   NOT NULL,
	"user_id"    BIGINT NOT NULL,
	"data"       TEXT   NOT NULL,
	"expires_at" BIGINT NOT NULL,
	PRIMARY KEY ("token_hash", "purpose")
);

CREATE TABLE "sealed_keys" (
	"name"   TEXT  NOT NULL PRIMARY KEY,
	"sealed" BYTEA NOT NULL
);
