-- +goose Up
-- Everything that an instance keeps of its conversations beside the bare messages: what
-- became of them (edits, revocations, reactions, receipts), what is in them (media, polls,
-- quotes), who takes part (groups, members, both forms of a person's address), calls, how
-- far the phone's history has come in, and words to search for. Times are Unix
-- milliseconds; 0 stands for never.
--
-- A change that comes as a message of its own (an edit, a revocation, a reaction, a vote)
-- stays a row of "messages", which makes it count once. "folded" says that what it says is
-- kept with the message that it is about, and that it is not shown by itself.

UPDATE "messages" SET "seq" = n."place"
FROM (SELECT "chat", "id", "sender", row_number() OVER (ORDER BY "seq", "chat", "id", "sender") AS "place" FROM "messages") AS n
WHERE "messages"."chat" = n."chat" AND "messages"."id" = n."id" AND "messages"."sender" = n."sender";
CREATE UNIQUE INDEX "messages_seq" ON "messages" ("seq");

ALTER TABLE "messages"
    ADD COLUMN "reason"        TEXT    NOT NULL DEFAULT '',
    ADD COLUMN "quoted"        TEXT    NOT NULL DEFAULT '',
    ADD COLUMN "quoted_sender" TEXT    NOT NULL DEFAULT '',
    ADD COLUMN "quoted_text"   TEXT    NOT NULL DEFAULT '',
    ADD COLUMN "mentions"      TEXT    NOT NULL DEFAULT '',
    ADD COLUMN "forwarded"     BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "view_once"     BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "starred"       BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "folded"        BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "edited_at"     BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN "revoked_at"    BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN "deleted_at"    BIGINT  NOT NULL DEFAULT 0;

CREATE INDEX "messages_of_chat" ON "messages" ("chat", "at", "seq");
CREATE INDEX "messages_queued" ON "messages" ("seq") WHERE "status" = 'queued';
CREATE INDEX "messages_unread" ON "messages" ("seq") WHERE "kind" = 'undecryptable';

-- Earlier texts of a message: what it said, since when, and the edit that replaced it.
CREATE TABLE "edits" (
    "chat"   TEXT   NOT NULL,
    "id"     TEXT   NOT NULL,
    "sender" TEXT   NOT NULL,
    "edit"   TEXT   NOT NULL,
    "at"     BIGINT NOT NULL,
    "text"   TEXT   NOT NULL,
    PRIMARY KEY ("chat", "id", "sender", "edit")
);

-- One per person and message; taken back, it is the empty text.
CREATE TABLE "reactions" (
    "chat"       TEXT    NOT NULL,
    "id"         TEXT    NOT NULL,
    "person"     TEXT    NOT NULL,
    "person_lid" TEXT    NOT NULL DEFAULT '',
    "from_me"    BOOLEAN NOT NULL,
    "emoji"      TEXT    NOT NULL,
    "at"         BIGINT  NOT NULL,
    PRIMARY KEY ("chat", "id", "person")
);

-- Who got a message from me, and when.
CREATE TABLE "receipts" (
    "chat"         TEXT   NOT NULL,
    "id"           TEXT   NOT NULL,
    "person"       TEXT   NOT NULL,
    "delivered_at" BIGINT NOT NULL DEFAULT 0,
    "read_at"      BIGINT NOT NULL DEFAULT 0,
    "played_at"    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY ("chat", "id", "person")
);

-- "options" are texts in a JSON array, in both tables.
CREATE TABLE "polls" (
    "chat"       TEXT   NOT NULL,
    "id"         TEXT   NOT NULL,
    "question"   TEXT   NOT NULL,
    "options"    TEXT   NOT NULL,
    "selectable" BIGINT NOT NULL,
    PRIMARY KEY ("chat", "id")
);
CREATE TABLE "votes" (
    "chat"      TEXT   NOT NULL,
    "id"        TEXT   NOT NULL,
    "voter"     TEXT   NOT NULL,
    "voter_lid" TEXT   NOT NULL DEFAULT '',
    "options"   TEXT   NOT NULL,
    "at"        BIGINT NOT NULL,
    PRIMARY KEY ("chat", "id", "voter")
);

-- What has to be fetched for a message, with the keys for it. "file" is a name in the
-- number's folder of media or a key in its bucket, made here and known before the file is.
CREATE TABLE "media" (
    "chat"        TEXT   NOT NULL,
    "id"          TEXT   NOT NULL,
    "sender"      TEXT   NOT NULL,
    "type"        TEXT   NOT NULL,
    "mime"        TEXT   NOT NULL DEFAULT '',
    "name"        TEXT   NOT NULL DEFAULT '',
    "size"        BIGINT NOT NULL DEFAULT 0,
    "seconds"     BIGINT NOT NULL DEFAULT 0,
    "sha256"      BYTEA,
    "enc_sha256"  BYTEA,
    "key"         BYTEA,
    "direct_path" TEXT   NOT NULL DEFAULT '',
    "url"         TEXT   NOT NULL DEFAULT '',
    "file"        TEXT   NOT NULL UNIQUE,
    "state"       TEXT   NOT NULL
        CHECK ("state" IN ('waiting', 'left', 'stored', 'gone', 'removed')),
    "place"       TEXT   NOT NULL DEFAULT '',
    "tries"       BIGINT NOT NULL DEFAULT 0,
    "next_at"     BIGINT NOT NULL DEFAULT 0,
    "error"       TEXT   NOT NULL DEFAULT '',
    "stored_at"   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY ("chat", "id", "sender")
);
CREATE INDEX "media_waiting" ON "media" ("next_at") WHERE "state" = 'waiting';

CREATE TABLE "calls" (
    "id"         TEXT    NOT NULL PRIMARY KEY,
    "chat"       TEXT    NOT NULL,
    "caller"     TEXT    NOT NULL,
    "caller_lid" TEXT    NOT NULL DEFAULT '',
    "video"      BOOLEAN NOT NULL DEFAULT false,
    "at"         BIGINT  NOT NULL,
    "ended_at"   BIGINT  NOT NULL DEFAULT 0,
    "outcome"    TEXT    NOT NULL DEFAULT ''
);

CREATE TABLE "groups" (
    "jid"        TEXT    NOT NULL PRIMARY KEY,
    "name"       TEXT    NOT NULL DEFAULT '',
    "topic"      TEXT    NOT NULL DEFAULT '',
    "owner"      TEXT    NOT NULL DEFAULT '',
    "created_at" BIGINT  NOT NULL DEFAULT 0,
    "announce"   BOOLEAN NOT NULL DEFAULT false,
    "locked"     BOOLEAN NOT NULL DEFAULT false,
    "left_at"    BIGINT  NOT NULL DEFAULT 0
);
CREATE TABLE "members" (
    "group" TEXT NOT NULL,
    "jid"   TEXT NOT NULL,
    "lid"   TEXT NOT NULL DEFAULT '',
    "role"  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY ("group", "jid")
);

-- How far the history that the phone hands over has come in, one row for each kind of it.
CREATE TABLE "history" (
    "type"     TEXT   NOT NULL PRIMARY KEY,
    "parts"    BIGINT NOT NULL,
    "chats"    BIGINT NOT NULL,
    "messages" BIGINT NOT NULL,
    "percent"  BIGINT NOT NULL,
    "at"       BIGINT NOT NULL
);

ALTER TABLE "chats" ADD COLUMN "archived"    BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "chats" ADD COLUMN "pinned_at"   BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE "chats" ADD COLUMN "muted_until" BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE "chats" ADD COLUMN "unread"      BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE "chats" ADD COLUMN "ephemeral"   BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE "chats" ADD COLUMN "created_at"  BIGINT  NOT NULL DEFAULT 0;
ALTER TABLE "chats" ADD COLUMN "updated_at"  BIGINT  NOT NULL DEFAULT 0;
UPDATE "chats" SET "created_at" = "last_at", "updated_at" = "last_at";
CREATE INDEX "chats_newest" ON "chats" ("last_at");

-- Every person with both forms of the address known is a contact, which makes this the list
-- of pairs too.
INSERT INTO "contacts" ("jid", "lid")
SELECT "jid", max("lid") FROM (
    SELECT "sender" AS "jid", "sender_lid" AS "lid" FROM "messages" WHERE "sender_lid" <> '' AND "sender_lid" <> "sender"
    UNION ALL
    SELECT "jid", "lid" FROM "chats" WHERE "lid" <> '' AND "lid" <> "jid") AS "pairs"
GROUP BY "jid"
ON CONFLICT ("jid") DO UPDATE SET "lid" = CASE WHEN "contacts"."lid" = '' THEN excluded."lid" ELSE "contacts"."lid" END;
CREATE INDEX "contacts_lid" ON "contacts" ("lid") WHERE "lid" <> '';

-- What earlier rows say about other messages is kept with those from now on. An edit or a
-- revocation by somebody else than the sender stays by itself: it may be an admin's or a
-- forged one, and these rows do not tell.
INSERT INTO "reactions" ("chat", "id", "person", "person_lid", "from_me", "emoji", "at")
SELECT "chat", "target", "sender", "sender_lid", "from_me", "text", "at" FROM (
    SELECT "messages".*, row_number() OVER (PARTITION BY "chat", "target", "sender" ORDER BY "seq" DESC) AS "place"
    FROM "messages" WHERE "kind" = 'reaction' AND "target" <> '') AS "latest"
WHERE "place" = 1;

INSERT INTO "edits" ("chat", "id", "sender", "edit", "at", "text")
SELECT "chat", "target", "sender", "id", "old_at", "old_text" FROM (
    SELECT "chat", "target", "sender", "id", "kind",
        lag("at") OVER w AS "old_at", lag("text") OVER w AS "old_text"
    FROM (
        SELECT "chat", "target", "sender", "id", "kind", "at", "text", "seq" FROM "messages" WHERE "kind" = 'edited' AND "target" <> ''
        UNION ALL
        SELECT o."chat", o."id", o."sender", o."id", o."kind", o."at", o."text", 0 FROM "messages" AS o
        WHERE o."kind" <> 'edited' AND o."id" IN (SELECT "target" FROM "messages" WHERE "kind" = 'edited')
    ) AS "versions"
    WINDOW w AS (PARTITION BY "chat", "target", "sender" ORDER BY "seq")
) AS "steps"
WHERE "kind" = 'edited' AND "old_text" IS NOT NULL
    AND EXISTS (SELECT 1 FROM "messages" AS o WHERE o."chat" = "steps"."chat" AND o."id" = "steps"."target" AND o."sender" = "steps"."sender");

UPDATE "messages" SET "text" = e."text", "edited_at" = e."at"
FROM (
    SELECT "chat", "target", "sender", "text", "at",
        row_number() OVER (PARTITION BY "chat", "target", "sender" ORDER BY "seq" DESC) AS "place"
    FROM "messages" WHERE "kind" = 'edited' AND "target" <> '') AS e
WHERE e."place" = 1 AND "messages"."chat" = e."chat" AND "messages"."id" = e."target" AND "messages"."sender" = e."sender"
    AND "messages"."kind" <> 'edited';

UPDATE "messages" SET "revoked_at" = r."at"
FROM (SELECT "chat", "target", "sender", max("at") AS "at" FROM "messages" WHERE "kind" = 'revoked' AND "target" <> '' GROUP BY "chat", "target", "sender") AS r
WHERE "messages"."chat" = r."chat" AND "messages"."id" = r."target" AND "messages"."sender" = r."sender"
    AND "messages"."kind" <> 'revoked';

UPDATE "messages" SET "folded" = true
WHERE "kind" = 'reaction' AND "target" <> ''
    OR "kind" IN ('edited', 'revoked') AND EXISTS (
        SELECT 1 FROM "messages" AS o
        WHERE o."chat" = "messages"."chat" AND o."id" = "messages"."target" AND o."sender" = "messages"."sender"
            AND o."kind" NOT IN ('edited', 'revoked'));

-- Punctuation goes first, for PostgreSQL to make words of addresses too, as SQLite does. A
-- text is cut where its words would no longer fit into a tsvector.
CREATE INDEX "words" ON "messages" USING gin (
    to_tsvector('simple', translate(left("text", 60000), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', '                                ')));
