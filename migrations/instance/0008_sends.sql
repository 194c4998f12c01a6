-- +goose Up
-- What was asked to be sent: under an Idempotency-Key, so that asking again sends nothing
-- twice, and what waits for its time. "message_id" is made before anything is sent; what was
-- begun and not finished when a process ended is sent again under the same id, which WhatsApp
-- knows to be the same message. "parameters" and "files" are JSON and there while something
-- waits. Times are Unix milliseconds, 0 for none.

CREATE TABLE "sends" (
    "id"         TEXT    NOT NULL PRIMARY KEY,
    "key"        TEXT,
    "hash"       TEXT    NOT NULL,
    "path"       TEXT    NOT NULL,
    "chat"       TEXT    NOT NULL,
    "parameters" TEXT    NOT NULL DEFAULT '',
    "files"      TEXT    NOT NULL DEFAULT '',
    "message_id" TEXT    NOT NULL,
    "state"      TEXT    NOT NULL CHECK ("state" IN ('waiting', 'working', 'done', 'failed', 'cancelled')),
    "due_at"     BIGINT  NOT NULL DEFAULT 0,
    "retry_at"   BIGINT  NOT NULL DEFAULT 0,
    "attempts"   BIGINT  NOT NULL DEFAULT 0,
    "stranger"   BOOLEAN NOT NULL DEFAULT FALSE,
    "status"     BIGINT  NOT NULL DEFAULT 0,
    "answer"     TEXT    NOT NULL DEFAULT '',
    "reason"     TEXT    NOT NULL DEFAULT '',
    "created_at" BIGINT  NOT NULL,
    "changed_at" BIGINT  NOT NULL
);

CREATE UNIQUE INDEX "sends_key" ON "sends" ("key");
CREATE INDEX "sends_due" ON "sends" ("state", "due_at");
CREATE INDEX "sends_message" ON "sends" ("message_id");
