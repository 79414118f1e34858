-- Those of 20261130050000 are what the statements of earlier versions want as well. By itself, because it shuts out readers: for a moment, and not while indexes are built.
DROP INDEX "endpoints_system_idx";
DROP INDEX "endpoints_validation_due_at_idx";
