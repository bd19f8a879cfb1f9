#!/bin/sh
# Run once by the Postgres image, on an empty volume: makes the service's own user and its database, as docs/operating.md says.
# Do not use the image's superuser: row-level security does not apply to it.
set -eu
psql --no-psqlrc -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -v password="$LICENSEKIT_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE licensekit LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE licensekit OWNER licensekit;
SQL
