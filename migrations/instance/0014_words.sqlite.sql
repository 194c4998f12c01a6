-- +goose Up
-- The words of new messages are put into the index many at a time, by the program: one at a
-- time, that cost as much as to store the message. Beyond the last one that is in the index
-- ("words_docsize" has a row for each) none is, and before it all are that have a text. The
-- view is what the index is of, by which SQLite checks it.

DROP TRIGGER "words_insert";
DROP TRIGGER "words_before_update";
DROP TRIGGER "words_update";
DROP TRIGGER "words_delete";
DROP TABLE "words";

CREATE VIEW "worded" AS
SELECT "seq" AS "rowid", "text" FROM "messages" WHERE "seq" <= (SELECT max("docid") FROM "words_docsize");
CREATE VIRTUAL TABLE "words" USING fts4(content="worded", "text", tokenize=unicode61 "remove_diacritics=0");
INSERT INTO "words" ("docid", "text") SELECT "seq", "text" FROM "messages" WHERE "text" <> '' ORDER BY "seq";

-- +goose StatementBegin
CREATE TRIGGER "words_before_update" BEFORE UPDATE OF "text" ON "messages"
WHEN old."text" <> '' AND EXISTS (SELECT 1 FROM "words_docsize" WHERE "docid" = old."seq")
BEGIN DELETE FROM "words" WHERE "docid" = old."seq"; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "words_update" AFTER UPDATE OF "text" ON "messages"
WHEN new."text" <> '' AND new."seq" < (SELECT max("docid") FROM "words_docsize")
BEGIN INSERT INTO "words" ("docid", "text") VALUES (new."seq", new."text"); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "words_delete" BEFORE DELETE ON "messages"
WHEN old."text" <> '' AND EXISTS (SELECT 1 FROM "words_docsize" WHERE "docid" = old."seq")
BEGIN DELETE FROM "words" WHERE "docid" = old."seq"; END;
-- +goose StatementEnd
