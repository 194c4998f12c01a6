-- +goose Up
-- An edit or a revocation may come before the message that it is about: it is looked for when
-- that message comes. "admin" says of a revocation that an administrator of the group made it.
ALTER TABLE "messages" ADD COLUMN "admin" BOOLEAN NOT NULL DEFAULT false;

CREATE INDEX "messages_early" ON "messages" ("chat", "target") WHERE "kind" IN ('edited', 'revoked') AND NOT "folded";
