-- +goose Up
-- Clients ask for a message by its id alone: to forward it, and how far it got. "seq" tells the
-- latest of several.
CREATE INDEX "messages_id" ON "messages" ("id", "seq");
