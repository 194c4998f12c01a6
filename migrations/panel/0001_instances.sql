-- The numbers that this installation manages, and which paired numbers were taken over
-- from another program's store. name_key is the name in the form in which two names count
-- as equal; request_id makes a repeated submission of one form harmless.
-- +goose Up
CREATE TABLE "instances" (
	"id"              TEXT   NOT NULL PRIMARY KEY,
	"name"            TEXT   NOT NULL,
	"name_key"        TEXT   NOT NULL,
	"phone"           TEXT   NOT NULL,
	"owner"           BIGINT NOT NULL,
	"jid"             TEXT   NOT NULL,
	"lid"             TEXT   NOT NULL,
	"push_name"       TEXT   NOT NULL,
	"desired"         TEXT   NOT NULL CHECK ("desired" IN ('running', 'stopped')),
	"status"          TEXT   NOT NULL CHECK ("status" IN (
		'provisioning', 'stopped', 'starting', 'pairing', 'passkey_required', 'connected',
		'reconnecting', 'logged_out', 'restricted', 'outdated', 'replaced', 'backoff',
		'failed', 'stopping', 'deleting')),
	"reason"          TEXT   NOT NULL,
	"since"           BIGINT NOT NULL,
	"retry_at"        BIGINT NOT NULL,
	"port"            BIGINT NOT NULL CHECK ("port" BETWEEN 1 AND 65535),
	"database_engine" TEXT   NOT NULL,
	"database_main"   TEXT   NOT NULL,
	"database_keys"   TEXT   NOT NULL,
	"restarts"        BIGINT NOT NULL,
	"created_at"      BIGINT NOT NULL,
	"request_id"      TEXT
);

CREATE UNIQUE INDEX "instances_name_key" ON "instances" ("name_key");
CREATE UNIQUE INDEX "instances_port" ON "instances" ("port");
CREATE UNIQUE INDEX "instances_request_id" ON "instances" ("request_id");

CREATE TABLE "imports" (
	"jid"         TEXT   NOT NULL PRIMARY KEY,
	"imported_at" BIGINT NOT NULL
);
