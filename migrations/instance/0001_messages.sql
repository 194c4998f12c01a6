-- +goose Up
-- What an instance keeps of its conversations. A message is one row whatever became of it
-- and however often WhatsApp delivers it again, hence the key. Times are Unix milliseconds;
-- WhatsApp counts in seconds, so "seq" (the order of storing) decides within one second.
-- "raw" is the protobuf as received: features that come later read from it what this table
-- has no column for.

CREATE TABLE "messages" (
    "chat"        TEXT    NOT NULL,
    "id"          TEXT    NOT NULL,
    "sender"      TEXT    NOT NULL,
    "sender_lid"  TEXT    NOT NULL DEFAULT '',
    "sender_name" TEXT    NOT NULL DEFAULT '',
    "from_me"     BOOLEAN NOT NULL,
    "kind"        TEXT    NOT NULL,
    "text"        TEXT    NOT NULL DEFAULT '',
    "target"      TEXT    NOT NULL DEFAULT '',
    "at"          BIGINT  NOT NULL,
    "seq"         BIGINT  NOT NULL,
    "status"      TEXT    NOT NULL DEFAULT ''
        CHECK ("status" IN ('', 'queued', 'failed', 'sent', 'delivered', 'read')),
    "raw"         BYTEA,
    PRIMARY KEY ("chat", "id", "sender")
);

CREATE INDEX "messages_newest" ON "messages" ("at", "seq");

CREATE TABLE "chats" (
    "jid"     TEXT   NOT NULL PRIMARY KEY,
    "lid"     TEXT   NOT NULL DEFAULT '',
    "name"    TEXT   NOT NULL DEFAULT '',
    "last_at" BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE "contacts" (
    "jid"           TEXT NOT NULL PRIMARY KEY,
    "lid"           TEXT NOT NULL DEFAULT '',
    "name"          TEXT NOT NULL DEFAULT '',
    "push_name"     TEXT NOT NULL DEFAULT '',
    "business_name" TEXT NOT NULL DEFAULT ''
);
