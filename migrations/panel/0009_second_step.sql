-- The roles whose people have to have a second step beside the password before they can do
-- anything else.
-- +goose Up
CREATE TABLE "second_step_roles" (
	"role" TEXT NOT NULL PRIMARY KEY
);
