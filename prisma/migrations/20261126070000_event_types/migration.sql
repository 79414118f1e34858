-- Event types, each with versions of its schema. What a version says of events (schema, casts) never changes; see
-- docs/adr/0016-event-types.md.

CREATE TABLE "event_types" (
  "num" SERIAL PRIMARY KEY,
  "tenant_num" INTEGER NOT NULL,
  "type" TEXT NOT NULL,
  "description" TEXT NOT NULL DEFAULT '',
  -- off, warn, enforce
  "validation" TEXT NOT NULL DEFAULT 'warn',
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  CONSTRAINT "event_types_tenant_num_fkey" FOREIGN KEY ("tenant_num") REFERENCES "tenants" ("num") ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "event_types_tenant_num_type_key" ON "event_types" ("tenant_num", "type");

CREATE TABLE "event_type_versions" (
  "type_num" INTEGER NOT NULL,
  "major" INTEGER NOT NULL,
  "minor" INTEGER NOT NULL,
  "patch" INTEGER NOT NULL,
  "description" TEXT NOT NULL DEFAULT '',
  -- active, deprecated, archived
  "state" TEXT NOT NULL DEFAULT 'active',
  -- JSON as text: jsonb would lose the order of names and the digits of numbers.
  "schema" TEXT NOT NULL,
  "example" TEXT,
  -- How data goes between this version and one of an older major; null: it does not.
  "casts" TEXT,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
  PRIMARY KEY ("type_num", "major", "minor", "patch"),
  CONSTRAINT "event_type_versions_type_num_fkey" FOREIGN KEY ("type_num") REFERENCES "event_types" ("num") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- Rises with each change of the tenant's event types, together with routing_version; 0: it never had any.
ALTER TABLE "tenants" ADD COLUMN "types_version" BIGINT NOT NULL DEFAULT 0;

-- Pairs of a type pattern and the major version that the endpoint wants, first match first.
ALTER TABLE "endpoints" ADD COLUMN "version_pins" JSONB NOT NULL DEFAULT '[]';
