-- +goose Up
-- Media may lie in a bucket. What lies in the number's folder waits to be uploaded there, while
-- a bucket is set; "next_at" and "error" are then those of the upload. What is not kept any
-- longer is noted as "discarded" until it is deleted at its place too, which may not answer at
-- the moment. "asked_at" is when the phone was asked for a file that WhatsApp has no more.
-- Times are Unix milliseconds, 0 for never.
ALTER TABLE "media" ADD COLUMN "asked_at" BIGINT NOT NULL DEFAULT 0;

CREATE INDEX "media_here" ON "media" ("next_at") WHERE "state" = 'stored' AND "place" = '';

CREATE TABLE "discarded" (
    "file"  TEXT NOT NULL,
    "place" TEXT NOT NULL,
    PRIMARY KEY ("file", "place")
);
