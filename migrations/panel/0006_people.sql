-- What each person may touch beside the numbers they made: single numbers, groups of
-- numbers, or all of them; accounts that are switched off; links that set a password; what
-- a token may do and with which numbers (both comma-separated, '' for no limit); and the
-- audit log, in which each row's hash covers the row before it. seq has no gaps.
-- Numbers are named without a foreign key: a backup brings them back later than the people.
-- +goose Up
ALTER TABLE "users" ADD COLUMN "disabled_at" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "users" ADD COLUMN "all_numbers" BIGINT NOT NULL DEFAULT 0;

CREATE TABLE "number_groups" (
	"id"       TEXT NOT NULL PRIMARY KEY,
	"name"     TEXT NOT NULL,
	"name_key" TEXT NOT NULL
);

CREATE UNIQUE INDEX "number_groups_name_key" ON "number_groups" ("name_key");

CREATE TABLE "group_numbers" (
	"group_id" TEXT NOT NULL REFERENCES "number_groups" ("id") ON DELETE CASCADE,
	"instance" TEXT NOT NULL,
	PRIMARY KEY ("group_id", "instance")
);

CREATE INDEX "group_numbers_instance" ON "group_numbers" ("instance");

CREATE TABLE "number_grants" (
	"user_id"  BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"instance" TEXT   NOT NULL,
	PRIMARY KEY ("user_id", "instance")
);

CREATE INDEX "number_grants_instance" ON "number_grants" ("instance");

CREATE TABLE "group_grants" (
	"user_id"  BIGINT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
	"group_id" TEXT   NOT NULL REFERENCES "number_groups" ("id") ON DELETE CASCADE,
	PRIMARY KEY ("user_id", "group_id")
);

CREATE INDEX "group_grants_group_id" ON "group_grants" ("group_id");

ALTER TABLE "sign_in_links" ADD COLUMN "purpose" TEXT NOT NULL DEFAULT 'sign_in';

ALTER TABLE "tokens" ADD COLUMN "scopes" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tokens" ADD COLUMN "numbers" TEXT NOT NULL DEFAULT '';

CREATE TABLE "audit" (
	"seq"      BIGINT NOT NULL PRIMARY KEY,
	"at"       BIGINT NOT NULL,
	"user_id"  BIGINT NOT NULL,
	"who"      TEXT   NOT NULL,
	"via"      TEXT   NOT NULL,
	"address"  TEXT   NOT NULL,
	"action"   TEXT   NOT NULL,
	"instance" TEXT   NOT NULL,
	"target"   TEXT   NOT NULL,
	"result"   TEXT   NOT NULL CHECK ("result" IN ('ok', 'refused', 'failed')),
	"detail"   TEXT   NOT NULL,
	"hash"     TEXT   NOT NULL
);

CREATE INDEX "audit_at" ON "audit" ("at");
CREATE INDEX "audit_instance" ON "audit" ("instance", "seq");
