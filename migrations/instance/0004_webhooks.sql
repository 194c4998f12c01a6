-- Events that were told to nobody yet, or lately. An event comes in with the change that it
-- is about, in one transaction, and with a delivery for each endpoint that wants it. "seq" is
-- the order in which events were committed: it is counted in the one row of "outbox", which a
-- transaction that puts events in locks until it ends. "device" there is the account's JID,
-- for events that come before the connection is up. An endpoint has a row only while it
-- fails. Times are Unix milliseconds.
-- +goose Up
CREATE TABLE "events" (
	"seq"  BIGINT NOT NULL PRIMARY KEY,
	"id"   TEXT   NOT NULL,
	"name" TEXT   NOT NULL,
	"chat" TEXT   NOT NULL,
	"at"   BIGINT NOT NULL,
	"body" TEXT   NOT NULL
);

CREATE UNIQUE INDEX "events_id" ON "events" ("id");

CREATE TABLE "outbox" (
	"one"    BIGINT NOT NULL PRIMARY KEY CHECK ("one" = 1),
	"seq"    BIGINT NOT NULL,
	"device" TEXT   NOT NULL
);

INSERT INTO "outbox" ("one", "seq", "device") VALUES (1, 0, '');

CREATE TABLE "deliveries" (
	"event"      BIGINT NOT NULL,
	"endpoint"   TEXT   NOT NULL,
	"chat"       TEXT   NOT NULL,
	"state"      TEXT   NOT NULL CHECK ("state" IN ('pending', 'delivered', 'parked')),
	"attempts"   BIGINT NOT NULL DEFAULT 0,
	"next_at"    BIGINT NOT NULL DEFAULT 0,
	"tried_at"   BIGINT NOT NULL DEFAULT 0,
	"status"     BIGINT NOT NULL DEFAULT 0,
	"latency_ms" BIGINT NOT NULL DEFAULT 0,
	"error"      TEXT   NOT NULL DEFAULT '',
	"response"   TEXT   NOT NULL DEFAULT '',
	PRIMARY KEY ("event", "endpoint")
);

CREATE INDEX "deliveries_pending" ON "deliveries" ("endpoint", "chat", "event") WHERE "state" = 'pending';
CREATE INDEX "deliveries_undelivered" ON "deliveries" ("event") WHERE "state" <> 'delivered';

CREATE TABLE "endpoints" (
	"id"            TEXT   NOT NULL PRIMARY KEY,
	"failures"      BIGINT NOT NULL,
	"failing_since" BIGINT NOT NULL,
	"paused_at"     BIGINT NOT NULL,
	"error"         TEXT   NOT NULL
);
